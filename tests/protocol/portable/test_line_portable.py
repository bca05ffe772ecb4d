"""A line's connection: its table, what it does with noise, and how it ends."""

from noisy_line import BAUD, Harm, World

from edgelite_protocol import line
from edgelite_protocol.cobs import PacketReader
from edgelite_protocol.errors import MisuseError

MESSAGES = [bytes([number]) * (1 + number * 11 % line.MESSAGE_BYTES_MAX) for number in range(60)]
NEVER_MS = 600_000
# The longest that a connection without a peer may live: silence until the sign of life is due, then all tries of it.
LOST_MS = line.KEEPALIVE_MS + line.timeout_ms(BAUD) * (1 + 2 + line.BACKOFF_MAX * line.TRIES_MAX)


def both_have_all(world: World) -> bool:
    return world.gateway.got == MESSAGES and world.node.got == MESSAGES


def exchange(world: World, limit_ms: int = NEVER_MS) -> bool:
    world.node.to_send = list(MESSAGES)
    world.gateway.to_send = list(MESSAGES)
    return world.run(lambda: both_have_all(world), limit_ms)


def is_prefix(some: "list[bytes]") -> bool:
    return some == MESSAGES[: len(some)]


def test_table_is_whole() -> None:
    assert len(line.TABLE) == line.ENDED + 1
    for row in line.TABLE:
        assert len(row) == line.CLOSE
        for action in row:
            assert hasattr(line.LineEnd, "_on_" + action), action


def test_every_cell_does_what_it_says() -> None:
    """Seen from outside: state, what was delivered, what is answered."""
    for state, row in enumerate(line.TABLE):
        for column, action in enumerate(row):
            end = line.LineEnd(True, 5, 77, BAUD, 0)
            end.state = state
            end._answer = None
            end._sequence, end._unacknowledged = 3, b"x"
            end.receive(column + line.OPEN, 77, 1, 3, b"data", 0)
            acknowledged = end._unacknowledged is None
            assert acknowledged == (action in ("established", "data", "acknowledge")), (state, column)
            assert (end.next_message() == b"data") == (action == "data"), (state, column)
            answers = {"opened": line.OPENED, "data": line.ACKNOWLEDGE}
            assert end._answer == answers.get(action), (state, column)
            after = {"established": line.ESTABLISHED, "end": line.ENDED}.get(action, state)
            assert end.state == after, (state, column)


def test_a_quiet_line_brings_all_in_order_without_repetition() -> None:
    world = World()
    assert exchange(world)
    assert world.node.end.resent_count == 0
    assert world.gateway.end.resent_count <= 1, "what it said before the node had its OPENED"


def test_noise_of_every_kind_changes_no_message() -> None:
    harms = (
        {"lost": 5},
        {"flipped": 5},
        {"invented": 5},
        {"doubled": 30},
        {"lost": 8, "flipped": 8, "invented": 8, "doubled": 10},
    )
    for number, harm in enumerate(harms):
        for seed in range(3):
            world = World(Harm(seed * 10 + number, **harm))
            done = exchange(world)
            assert is_prefix(world.gateway.got) and is_prefix(world.node.got), (harm, seed)
            ended = line.ENDED in (world.node.end.state, world.gateway.end.state)
            assert done or ended, (harm, seed)
            if harm.get("lost", 0) < 8:
                assert done, (harm, seed, world.node.end.ended, world.gateway.end.ended)


def test_a_line_too_bad_to_use_ends_cleanly_at_both_ends() -> None:
    for seed in range(3):
        world = World(Harm(seed, lost=150, flipped=150, invented=150))
        assert not exchange(world, 3 * LOST_MS)
        assert world.node.end.state == line.ENDED and world.gateway.end.state == line.ENDED
        assert is_prefix(world.gateway.got) and is_prefix(world.node.got)


def test_a_short_silence_is_made_up_for() -> None:
    world = World()
    world.node.to_send = list(MESSAGES)
    assert world.run(lambda: len(world.gateway.got) > 10, NEVER_MS)
    world.harm.silent = True
    world.run(lambda: False, 1000)
    world.harm.silent = False
    assert world.run(lambda: world.gateway.got == MESSAGES, NEVER_MS)


def test_a_peer_that_vanishes_is_noticed_at_both_ends_at_rest() -> None:
    world = World()
    assert world.run(lambda: world.node.end.state == line.ESTABLISHED, NEVER_MS)
    world.harm.silent = True
    over = lambda: line.ENDED == world.node.end.state == world.gateway.end.state  # noqa: E731
    assert world.run(over, LOST_MS)
    assert world.node.end.ended == world.gateway.end.ended == "nothing answers on the line"


def test_rest_keeps_it_alive_for_an_hour_with_few_packets() -> None:
    world = World()
    world.step_ms = 100
    world.run(lambda: False, 3_600_000)
    assert world.node.end.state == world.gateway.end.state == line.ESTABLISHED
    assert world.node.end._sequence + world.gateway.end._sequence <= 3600 // 10 * 2


def test_nobody_answers_open() -> None:
    world = World()
    world.harm.silent = True
    assert world.run(lambda: world.node.end.state == line.ENDED, LOST_MS)


def test_a_slow_taker_makes_the_other_end_wait_and_holds_little() -> None:
    world = World()
    world.gateway.takes = False
    world.node.to_send = list(MESSAGES)
    world.run(lambda: False, 60_000)
    assert len(world.gateway.end._arrived) <= line.QUEUE_MAX + 1
    assert len(world.node.to_send) >= len(MESSAGES) - 2 * line.QUEUE_MAX - 2
    assert world.node.end.state == line.ESTABLISHED, "waiting is no silence"
    world.gateway.takes = True
    assert world.run(lambda: world.gateway.got == MESSAGES, NEVER_MS)


def test_the_word_that_it_may_go_on_is_lost() -> None:
    world = World()
    world.gateway.takes = False
    world.node.to_send = list(MESSAGES)
    world.run(lambda: False, 5_000)
    world.harm.silent = True
    world.gateway.takes = True
    world.run(lambda: False, 200)
    world.harm.silent = False
    assert world.run(lambda: world.gateway.got == MESSAGES, NEVER_MS)


def test_close_says_why_behind_what_waits() -> None:
    world = World()
    assert world.run(lambda: world.node.end.state == line.ESTABLISHED, NEVER_MS)
    world.gateway.end.send(b"last words")
    world.gateway.end.close("no hub", world.now_ms)
    assert world.run(lambda: world.node.end.state == line.ENDED, line.FINISH_MS)
    assert world.node.got == [b"last words"] and world.node.end.ended == "no hub"


def test_close_waits_no_longer_than_it_may() -> None:
    world = World()
    assert world.run(lambda: world.node.end.state == line.ESTABLISHED, NEVER_MS)
    world.harm.silent = True
    world.node.end.send(b"never heard")
    world.node.end.close("", world.now_ms)
    assert world.run(lambda: world.node.end.state == line.ENDED, line.FINISH_MS + 100)


def test_packets_of_another_connection_count_for_nothing() -> None:
    end = line.LineEnd(False, 5, 77, BAUD, 0)
    for kind in (line.DATA, line.CLOSE, line.ACKNOWLEDGE):
        end.receive(kind, 78, 1, 0, b"old", 0)
    assert end.next_message() is None and end.state == line.ESTABLISHED


def test_a_flood_of_packets_makes_no_more_answers_than_the_port_takes() -> None:
    end = line.LineEnd(False, 5, 77, BAUD, 0)
    for number in range(1000):
        end.receive(line.DATA, 77, number & 0xFF, 0, b"x", number)
        end.step(number)
    assert len(end._packets) <= line.PACKETS_MAX
    assert len(end._arrived) <= line.QUEUE_MAX + 1


def test_sequence_numbers_wrap() -> None:
    world = World()
    many = [bytes([number & 0xFF, number >> 8]) for number in range(300)]
    world.node.to_send = list(many)
    assert world.run(lambda: world.gateway.got == many, NEVER_MS)


def test_a_packet_on_the_line_is_no_longer_than_promised() -> None:
    end = line.LineEnd(False, 254, 0xFFFF, BAUD, 0)
    end._answer = None
    end.send(bytes(line.MESSAGE_BYTES_MAX))
    end.step(0)
    packet = end.next_packet()
    assert packet is not None and len(packet) <= line.LINE_BYTES_MAX <= 256
    reader = PacketReader(line.PACKET_BYTES_MAX)
    reader.feed(packet)
    assert line.decode(reader.next_packet() or b"") == (254, line.DATA, 0xFFFF, 1, 0, bytes(line.MESSAGE_BYTES_MAX))


def test_what_is_no_packet() -> None:
    for packet in (
        b"",
        b"\x05\x03\x00\x4d\x01",
        b"\x00\x03\x00\x4d\x01\x00",
        b"\x05\x00\x00\x4d\x01\x00",
        b"\x05\x06" * 3,
    ):
        assert line.decode(packet) is None, packet


def test_a_message_that_cannot_be_sent_is_the_callers_mistake() -> None:
    end = line.LineEnd(False, 5, 77, BAUD, 0)
    for message in (b"", bytes(line.MESSAGE_BYTES_MAX + 1)):
        try:
            end.send(message)
        except MisuseError:
            continue
        raise AssertionError(len(message))
    end.send(b"1")
    end.send(b"2")
    assert not end.can_send()
