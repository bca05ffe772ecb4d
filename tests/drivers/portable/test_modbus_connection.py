"""The connection under a Modbus bus: refused, lost, broken, back again."""

from modbus_bench import Bench, counting_unit, opened


def test_a_broken_header_closes_the_connection_and_backs_off():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.bus.received(b"HTTP/1.1 400 Bad Request\r\n", 1)
    assert bench.bus.wants_close(1)
    bench.bus.received(b"more", 1)
    bench.bus.closed("closed", 2)
    (result,) = bench.results()
    assert result.errors["r4"].startswith("connection lost: not Modbus: protocol id ")
    assert not result.answered
    bench.now_ms = 3
    bench.read(1, 4)
    assert not bench.bus.wants_open(3)
    assert bench.results()[0].errors["r4"].startswith("no connection: not Modbus")


def test_a_refused_connection_fails_what_waits_and_backs_off_more_and_more():
    bench = Bench(u1=counting_unit())
    pauses = []
    for _ in range(8):
        bench.read(1, 0)
        bench.read(1, 1)
        assert bench.bus.wants_open(bench.now_ms)
        bench.bus.closed("refused", bench.now_ms)
        results = bench.results()
        assert [result.errors for result in results] == [
            {"r0": "no connection: refused"},
            {"r1": "no connection: refused"},
        ]
        start_ms = bench.now_ms
        while True:
            bench.now_ms += 250
            bench.read(1, 0)
            if bench.bus.wants_open(bench.now_ms):
                break
            assert len(bench.results()) == 1
        pauses.append(bench.now_ms - start_ms)
        bench.bus.closed("refused", bench.now_ms)
        bench.results()
        bench.now_ms += 40_000
    assert pauses[0] <= 1000 and pauses[-1] >= 15_000 and pauses[-1] <= 30_000
    assert pauses == sorted(pauses)


def test_a_connection_that_never_comes_costs_a_request_its_own_timeout():
    bench = Bench(u1=counting_unit())
    bench.read(1, 0, timeout_ms=300)
    bench.read(1, 1, timeout_ms=700)
    assert bench.step(0) == 300
    assert bench.step(300) == 700
    assert bench.results()[0].errors == {"r0": "no connection within 300 ms"}
    assert bench.step(700) is None
    assert bench.results()[0].errors == {"r1": "no connection within 700 ms"}
    assert not bench.bus.wants_open(700)


def test_a_connection_that_ends_under_a_read_is_taken_up_again_once():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.read(1, 5)
    bench.bus.data_to_send(4096)
    bench.bus.closed("reset", 10)
    assert bench.results() == []
    bench.now_ms = 11
    bench.open()
    bench.exchange()
    assert [result.values for result in bench.results()] == [{"r4": 4}, {"r5": 5}]
    bench.read(1, 4)
    for _ in range(2):
        bench.bus.data_to_send(4096)
        bench.bus.closed("reset", 12)
        if bench.bus.wants_open(12):
            bench.open()
    assert bench.results()[0].errors == {"r4": "connection lost: reset"}


def test_half_a_frame_of_an_old_connection_is_void():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.bus.received(bench.peer.answer(bench.bus.data_to_send(4096))[:5], 1)
    bench.bus.closed("reset", 2)
    bench.open()
    bench.exchange()
    assert bench.results()[0].values == {"r4": 4}


def test_an_answer_ends_the_backoff_of_reconnects():
    bench = Bench(u1=counting_unit())
    for _ in range(6):
        bench.now_ms += 60_000
        bench.read(1, 0)
        bench.bus.closed("refused", bench.now_ms)
    bench.now_ms += 60_000
    bench.read(1, 0)
    bench.open()
    bench.exchange()
    bench.bus.closed("reset", bench.now_ms)
    bench.read(1, 0)
    bench.bus.closed("refused", bench.now_ms)
    bench.now_ms += 1000
    bench.read(1, 0)
    assert bench.bus.wants_open(bench.now_ms), "it waits as if nothing had ever been answered"
