"""The worker of a port without threads."""

from edgelite_ports.micropython.worker import Worker


def test_work_is_done_at_once_and_its_error_told():
    told = []
    worker = Worker()
    worker.submit(0, lambda: 7, lambda result, error: told.append((result, error)))
    error = ValueError("no")

    def fails():
        raise error

    worker.submit(0, fails, lambda result, error: told.append((result, error)))
    assert told == [(7, None), (None, error)]
    assert worker.step(5) is None and worker.idle()


def test_work_in_steps_is_taken_a_step_a_round_one_after_another():
    told = []
    done = []

    def steps(name, count, error=None):
        for number in range(count):
            done.append(name + str(number))
            yield
        if error is not None:
            raise error

    error = OSError(28)
    worker = Worker()
    worker.submit(2, lambda: steps("a", 2), lambda result, error: told.append(("a", error)))
    worker.submit(2, lambda: steps("b", 1, error), lambda result, error: told.append(("b", error)))
    assert done == [] and not worker.idle()
    rounds = 0
    while worker.step(rounds) is not None:
        rounds += 1
    assert done == ["a0", "a1", "b0"]
    assert told == [("a", None), ("b", error)]
    assert worker.idle()
