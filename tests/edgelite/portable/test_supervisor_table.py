"""The supervisor's table, cell by cell: what it must say stands here a second time, written independently."""

from supervisor_bench import IDENTITY, KEY, UNIT, Bench, workload

from edgelite.supervisor import backoff, table
from edgelite.supervisor.supervisor import _ACTIONS
from edgelite_protocol.errors import MisuseError

# One row a state, one word a cell: run wait adopt stop started again well badly due. "." stays, "x" cannot happen.
EXPECTED = """
idle        start>starting  >waiting  adopt>adopting  clear>idle           x                    x                x                 finish>failed  x
waiting     start>starting  .         x               clear>idle           x                    x                x                 x              x
starting    .               >waiting  x               >cancelling          note_running>running back_off>backoff x                 finish>failed  x
adopting    .               .         x               >cancelling          note_running>running back_off>backoff x                 finish>failed  x
cancelling  .               .         x               .                    terminate>stopping   clear>idle       x                 clear>idle     x
running     .               .         x               terminate>stopping   x                    back_off>backoff finish>completed  finish>failed  x
stopping    .               .         x               .                    x                    clear>idle       clear>idle        clear>idle     kill>killing
killing     .               .         x               .                    x                    clear>idle       clear>idle        clear>idle     kill>killing
backoff     .               >waiting  x               clear>idle           x                    x                x                 x              start>starting
completed   .               .         x               clear>idle           x                    x                x                 x              x
failed      .               .         x               clear>idle           x                    x                x                 x              x
"""  # noqa: E501 - a table reads best whole


def _cell_text(state, cell):
    if cell == table.IMPOSSIBLE:
        return "x"
    action, next_state = cell
    if not action and next_state == state:
        return "."
    return action + ">" + table.STATE_NAMES[next_state]


def test_each_cell_is_what_it_must_be():
    rows = [line.split() for line in EXPECTED.split("\n") if line]
    assert [row[0] for row in rows] == list(table.STATE_NAMES)
    for state, row in enumerate(rows):
        for event, expected in enumerate(row[1:]):
            found = _cell_text(state, table.TABLE[state][event])
            assert found == expected, (row[0], table.EVENT_NAMES[event], found)


def test_the_table_is_complete():
    assert len(table.TABLE) == len(table.STATE_NAMES) == 11
    for row in table.TABLE:
        assert len(row) == len(table.EVENT_NAMES) == 9
        for cell in row:
            assert cell == table.IMPOSSIBLE or cell[0] in _ACTIONS or cell[0] == table.NOTHING


def test_each_cell_does_what_it_says():
    """Put a unit into each state, raise each event: the state that follows is the cell's, a bug is raised as one."""
    for state in range(len(table.STATE_NAMES)):
        for event in range(len(table.EVENT_NAMES)):
            bench = Bench()
            bench.run()
            unit = bench.unit()
            unit.state, unit.ends, unit.identity = state, 1, IDENTITY
            cell = table.TABLE[state][event]
            try:
                bench.supervisor._fire(unit, event, 0)
            except MisuseError:
                assert cell == table.IMPOSSIBLE
                assert unit.state == state
            else:
                assert unit.state == cell[1]


def test_every_state_can_be_left_and_reached():
    for state in range(len(table.STATE_NAMES)):
        nexts = [cell[1] for cell in table.TABLE[state] if cell != table.IMPOSSIBLE]
        assert any(next_state != state for next_state in nexts)
        befores = [s for s in range(len(table.TABLE)) if any(cell[1] == state for cell in table.TABLE[s])]
        assert any(before != state for before in befores)


def test_no_state_that_waits_for_the_port_has_a_deadline_but_the_stops():
    """A process that is slow to start is never started twice."""
    for state in (table.STARTING, table.ADOPTING, table.CANCELLING, table.RUNNING):
        assert table.TABLE[state][table.DUE] == table.IMPOSSIBLE


def test_the_delays_are_the_documented_ones():
    assert [backoff.delay_ms(ends) for ends in (0, 1, 2, 3, 4, 9, 10, 11, 16, 1000)] == [
        0, 0, 1000, 2000, 4000, 128000, 256000, 300000, 300000, 300000,
    ]  # fmt: skip
    assert backoff.count_end(5, 599999) == 6
    assert backoff.count_end(5, 600000) == 1
    assert backoff.count_end(backoff.ENDS_MAX, 0) == backoff.ENDS_MAX


def test_a_second_start_completion_is_a_bug_of_the_port():
    bench = Bench()
    bench.run(workload())
    try:
        bench.supervisor.started(UNIT, IDENTITY, 1)
    except MisuseError as error:
        assert "running" in str(error) and KEY.split("/")[2] in str(error)
    else:
        raise AssertionError("accepted")
