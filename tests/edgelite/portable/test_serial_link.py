"""Nodes on one wire behind a gateway: what they say arrives whole, and every end of it has its words."""

from serial_world import NodeSide, World

from edgelite import gateway, serial_link
from edgelite.effects import Open
from edgelite_protocol import line, relay

LONG = bytes([index * 7 & 0xFF for index in range(6000)])
LOST_MS = line.KEEPALIVE_MS + 30 * line.timeout_ms(115200)


class Harm:
    """One byte of `each` is changed, and one of twice as many lost, by counting: it repeats."""

    def __init__(self, each):
        self.each = each
        self.count = 0

    def apply(self, data):
        out = bytearray()
        for byte in data:
            self.count += 1
            if self.count % (2 * self.each) == 0:
                continue
            out.append(byte ^ 0x21 if self.count % self.each == 0 else byte)
        return bytes(out)


def opened(world):
    world.open_all()
    assert world.run(lambda: all("opened" in node.upper.events for node in world.nodes))


def live(nodes=1, harm=None):
    """A world in which each node's hub has heard its first word."""
    world = World(nodes, harm)
    opened(world)
    for node in world.nodes:
        node.upper.to_say = b"hello"
    heard = lambda: len(world.relays) >= nodes and all(one.got == b"hello" for one in world.relays)  # noqa: E731
    assert world.run(heard)
    return world


def test_bytes_of_two_nodes_arrive_both_ways_each_at_its_own():
    for harm in (None, Harm(1500)):
        world = live(2, harm)
        for number in (1, 2):
            world.nodes[number - 1].upper.to_say = LONG + bytes([number])
            world.relay_of(number).to_say = bytes([number]) + LONG
        done = lambda: all(  # noqa: E731
            world.relay_of(number).got == b"hello" + LONG + bytes([number])  # noqa: B023
            and world.nodes[number - 1].upper.got == bytes([number]) + LONG  # noqa: B023
            for number in (1, 2)
        )
        assert world.run(done, 300_000)
        assert [node.upper.events for node in world.nodes] == [["opened"], ["opened"]]


def test_a_node_waits_for_its_number_and_asks_for_no_line_before():
    world = World(1)
    node = world.nodes[0]
    node.counters.held = True
    world.open_all()
    world.run(lambda: False, 5_000)
    assert node.link.state == serial_link.RESERVING
    node.counters.held = False
    assert world.run(lambda: node.upper.events == ["opened"])


def test_a_medium_that_fails_is_told_and_tried_again():
    world = World(1)
    node = world.nodes[0]
    node.counters.held = True
    world.open_all()
    assert world.run(lambda: node.upper.events == [serial_link.NO_NUMBER])
    node.counters.held = False
    world.open_all()
    assert world.run(lambda: node.upper.events[-1] == "opened")


def test_each_connection_has_a_number_of_its_own():
    world = live()
    node = world.nodes[0]
    for _ in range(3):
        node.link.close(world.now_ms)
        assert world.run(lambda: node.link.state == serial_link.CLOSED)
        node.link.open(world.now_ms)
        assert world.run(lambda: node.upper.events[-1] == "opened")
    assert node.counters.next == 1004


def test_a_gateway_without_a_hub_says_so():
    world = World(1)
    world.gateway_is_live = False
    world.open_all()
    assert world.run(lambda: world.nodes[0].upper.events == [gateway.NO_HUB])
    assert world.relays == []


def test_a_hub_that_refuses_the_gateway_is_told_to_the_node():
    world = World(1)
    world.hub_refuses = "connection refused"
    world.open_all()
    assert world.run(lambda: world.nodes[0].upper.events == [gateway.NO_HUB + " (connection refused)"])


def test_the_hubs_last_words_come_before_the_end():
    world = live()
    hub = world.relay_of(1)
    hub.to_say = LONG[:1500]
    hub.out = hub.data_to_send() + relay.end("node_revoked: deleted")
    assert world.run(lambda: world.nodes[0].upper.events == ["opened", "node_revoked: deleted"])
    assert world.nodes[0].upper.got == LONG[:1500]


def test_the_nodes_last_words_come_before_the_end():
    world = live()
    world.nodes[0].upper.to_say = LONG
    world.nodes[0].link.close(world.now_ms)
    assert world.run(lambda: world.nodes[0].upper.events == ["opened", "closed"])
    world.run(lambda: False, 1000)
    assert world.relays[0].got == b"hello" + LONG
    assert world.gateway.line._attached == {} and world.gateway.line._leaving == []


def test_a_gateway_that_was_killed_is_noticed_with_the_next_word():
    world = live()
    world.restart_gateway()
    world.nodes[0].upper.to_say = b"anybody?"
    assert world.run(lambda: world.nodes[0].upper.events == ["opened", gateway.NO_CONNECTION], 2_000)


def test_a_gateway_that_is_gone_is_noticed_at_rest():
    world = live()
    world._open.pop(world.gateway.line)
    assert world.run(lambda: len(world.nodes[0].upper.events) == 2, LOST_MS)
    assert world.nodes[0].upper.events[1] == "nothing answers on the line"


def test_a_node_that_is_gone_is_noticed_at_rest_and_its_connection_closed():
    world = live()
    world._open.pop(world.nodes[0].link)
    assert world.run(lambda: world.gateway.line._attached == {}, LOST_MS)
    assert world.run(lambda: len([one for one in world._open if world._open[one] is not None]) == 0, 1_000)


def test_a_node_that_starts_anew_replaces_itself():
    world = live()
    world._open.pop(world.nodes[0].link)
    again = NodeSide(1)
    again.counters.next = 2000
    world.nodes[0] = again
    opened(world)
    again.upper.to_say = b"me again"
    assert world.run(lambda: len(world.relays) == 2 and world.relays[1].got == b"me again")
    assert world.run(lambda: len(world.gateway.line._leaving) == 0, 5_000)


def test_an_unplugged_line_is_opened_again():
    world = live()
    world.pull_wire("the line is gone")
    assert world.nodes[0].upper.events == ["opened", "the line is gone"]
    world.run(lambda: False, 3_000)
    world.wire_is_there = True
    world.open_all()
    assert world.run(lambda: world.nodes[0].upper.events[-1] == "opened", gateway.OPEN_CAP_MS + 10_000)


def test_no_more_nodes_on_a_line_than_it_carries():
    world = live(gateway.NODES_MAX)
    world.nodes.append(NodeSide(gateway.NODES_MAX + 1))
    world.nodes[-1].link.open(world.now_ms)
    assert world.run(lambda: len(world.nodes[-1].upper.events) == 1)
    assert "16 nodes on this line and no more" in world.nodes[-1].upper.events[0]
    assert all(node.upper.events == ["opened"] for node in world.nodes[:-1])


def test_a_hub_that_sends_beyond_its_credit_is_cut_off():
    world = live()
    hub = world.relay_of(1)
    hub.credit = 100
    hub.to_say = LONG * 4
    assert world.run(lambda: len(world.nodes[0].upper.events) == 2)
    assert "flow_control" in world.nodes[0].upper.events[1] or "credit" in world.nodes[0].upper.events[1]


def test_what_a_gateway_holds_for_a_node_that_does_not_listen_is_bounded():
    world = live()
    world.relay_of(1).to_say = LONG * 10
    world._open.pop(world.nodes[0].link)
    one = next(iter(world.gateway.line._attached.values()))
    world.run(lambda: False, 1_000)
    assert len(one._downward) <= relay.CREDIT_MAX and world.relay_of(1).to_say


def test_a_node_is_told_to_wait_while_the_hub_takes_nothing():
    world = live()
    one = next(iter(world.gateway.line._attached.values()))
    take = one.data_to_send
    one.data_to_send = lambda size_bytes_max: b""
    world.nodes[0].upper.to_say = LONG
    world.run(lambda: False, 60_000)
    assert len(one._upward) <= (gateway.UPWARD_MAX + 2) * 300
    assert world.nodes[0].upper.events == ["opened"], "it waits, and is not lost"
    one.data_to_send = take
    assert world.run(lambda: world.relays[0].got == b"hello" + LONG)


def test_a_hub_with_other_keys_is_no_hub():
    world = World(1)
    world.hub_secret = bytes(16)
    world.open_all()
    assert world.run(lambda: world.nodes[0].upper.events == ["opened"])  # anyone may send a challenge
    hub = world.relays[0]
    hub.end.confirmed = True
    hub.to_say = b"do as I say"
    assert world.run(lambda: len(world.nodes[0].upper.events) == 2)
    assert world.nodes[0].upper.events[1].startswith("oscore_failed") and world.nodes[0].upper.got == b""


def test_closing_in_every_state_ends_once():
    for delay_ms in range(0, 600, 10):
        world = World(1)
        node = world.nodes[0]
        node.counters.held = delay_ms < 30
        world.open_all()
        world.run(lambda: False, delay_ms)
        node.link.close(world.now_ms)
        assert world.run(lambda: node.link.state == serial_link.CLOSED), delay_ms  # noqa: B023
        world.run(lambda: False, 1_000)
        assert len([event for event in node.upper.events if event != "opened"]) == 1, (delay_ms, node.upper.events)


def test_a_line_that_is_missing_is_told_with_its_reason():
    world = World(1)
    world.wire_is_there = False
    world.open_all()
    assert world.run(lambda: world.nodes[0].upper.events == ["no such device"])


def test_what_is_asked_of_the_port():
    node = NodeSide(1)
    node.link.open(0)
    asked = node.effects[0]
    assert isinstance(asked, Open) and asked.target == ("serial", "/dev/wire", {"baud": 115200})


def test_credit_grows_with_the_line():
    assert [gateway.credit_of(baud) for baud in (1200, 9600, 57600, 115200, 921600)] == [2, 2, 11, 16, 16]


def test_a_frame_takes_two_seconds_at_most_where_that_is_enough_to_work_with():
    rows = ((9600, 2048), (19200, 3072), (115200, 16384), (4_000_000, 16384))
    assert [serial_link.frame_bytes_max(baud, 16384) for baud, _ in rows] == [size for _, size in rows]
    assert serial_link.frame_bytes_max(115200, 4096) == 4096
