"""The bridge to a broker: who is told what, which way, and what a broker may do to it. Under both runtimes."""

from mqtt_world import CONFIG, World, message, packet

from edgelite.bus.bus import PAYLOAD_BYTES_MAX
from edgelite.bus.topics import filter_levels, matches, topic_levels
from edgelite.config import parse
from edgelite.driver import ConfigurationError
from edgelite.effects import Open
from edgelite.mqtt import bridge, session
from edgelite.mqtt.bridge import CLOSING, LIVE, RESTING, STATE_NAMES, STOPPED, TABLE, Bridge, incoming, outgoing

RESULT = "$hw/events/device/default/meter/twin/update/result"
UPDATE = "$hw/events/device/default/meter/twin/update"


def test_it_connects_says_who_it_is_and_asks_for_its_topics():
    world = World(CONFIG + "mqtt_user = edge\nmqtt_prefix = site-1/\n")
    world.bridge = Bridge(_with_password(), world.bridge._context, world.bus, lambda: True)
    world.step()
    assert [effect.target for effect in world.taken(Open)] == [("tcp", "broker.example", 1883)]
    world.bridge.opened(world.now_ms)
    (connect,) = world.sent()
    assert (connect.client, connect.user, connect.password) == ("kitchen", "edge", "secret")
    assert connect.is_clean
    assert connect.keepalive_s == 60
    assert connect.will == ("site-1/$hw/events/disconnected/kitchen", '{"event_id":"","timestamp":0}')
    world.say(b"\x20\x02\0\0")
    packets = world.sent()
    asked = [one for one in packets if one.kind == 8]
    assert [one.topic for one in asked] == ["site-1/" + one for one in incoming("kitchen")]
    assert [one.qos for one in asked] == [1] * len(asked)
    assert [one.topic for one in packets if one.kind == 3] == ["site-1/$hw/events/connected/kitchen"]


def _with_password():
    config = parse(CONFIG + "mqtt_user = edge\nmqtt_prefix = site-1/\n")
    config.mqtt_password = b"secret"
    return config


def test_messages_go_out_and_come_in():
    world = World()
    world.acknowledge(world.live())
    world.bus.publish(RESULT, b"result")
    (one,) = world.sent()
    assert (one.topic, one.payload, one.qos) == (RESULT, b"result", 1)
    world.acknowledge([one])
    assert world.told() == [(RESULT, b"result")]
    world.say(message(UPDATE, b"update", 1, 0x1234))
    assert world.told() == [(UPDATE, b"update")]
    (answer,) = world.sent()
    assert (answer.first, answer.body) == (0x40, b"\x12\x34")
    world.say(message(UPDATE, b"again"))
    assert world.told() == [(UPDATE, b"again")]
    assert world.sent() == []


def test_qos_0_waits_for_no_answer():
    world = World(CONFIG + "mqtt_qos = 0\n")
    world.live()
    for number in range(20):
        world.bus.publish(RESULT, b"%d" % number)
    assert [one.payload for one in world.sent()] == [b"%d" % number for number in range(20)]


def test_the_broker_knows_whether_the_hub_is_there():
    world = World()
    world.has_hub = False
    (one,) = world.live()
    assert one.topic == "$hw/events/disconnected/kitchen"
    world.acknowledge([one])
    world.has_hub = True
    world.step()
    (one,) = world.sent()
    assert one.topic == "$hw/events/connected/kitchen"
    world.lose()
    world.has_hub = False
    world.now_ms += 100_000
    assert [one.topic for one in world.live()] == ["$hw/events/disconnected/kitchen"], "and not what it was"


def test_nothing_goes_round():
    """No topic goes both ways, and what came from the broker is not said to it."""
    for node in ("kitchen", "a.b-c"):
        ways = []
        for filters in (incoming(node), outgoing(node)):
            levels = [filter_levels(one) for one in filters]
            ways.append((levels, [one.replace("+", "x").replace("#", "x/y") for one in filters]))
        for levels, _ in ways:
            other = ways[1][1] if levels is ways[0][0] else ways[0][1]
            assert not [one for one in other if any(matches(wanted, topic_levels(one)) for wanted in levels)]
    world = World()
    world.acknowledge(world.live())
    world.bus.subscribe(world.bridge._queue, "#")
    world.say(message("edgelite/to/kitchen/lamp", b"on"))
    assert world.told() == [("edgelite/to/kitchen/lamp", b"on")]
    assert world.sent() == []


def test_what_was_not_asked_for_is_dropped_and_told_once():
    world = World(CONFIG + "mqtt_prefix = site-1/\n")
    world.live()
    world.logs()
    for topic in (UPDATE, "site-1/" + RESULT, "site-1/edgelite/to/cellar/x", "x", "site-1/$SYS/broker"):
        world.say(message(topic, b"1"))
    assert world.told() == []
    (line,) = world.logs()
    assert (
        line
        == "mqtt: dropped 0 messages to the broker, the oldest, and 1 from it: too long, or not for this node's bus"
    )
    deadline_ms = world.step()
    assert deadline_ms <= world.now_ms + bridge.DROPS_TOLD_MS
    world.say(message("x", b"1"))
    assert world.logs() == []
    world.now_ms += bridge.DROPS_TOLD_MS
    world.say(b"")
    assert "and 5 from it" in world.logs()[0]


def test_a_message_too_long_is_passed_over_and_answered():
    world = World()
    world.acknowledge(world.live())
    world.logs()
    long = message(UPDATE, b"x" * (PAYLOAD_BYTES_MAX + 1), 1, 5)
    for start in range(0, len(long), 1000):
        world.bridge.received(long[start : start + 1000], world.now_ms)
        world.step()
        assert world.bridge._session._reader.buffered_bytes <= 1000
    world.say(message(UPDATE, b"short", 1, 6))
    assert world.told() == [(UPDATE, b"short")]
    assert [one.body for one in world.sent()] == [b"\0\5", b"\0\6"]
    world.say(message("t" * 600, b"x"))
    world.say(message("edgelite/to/kitchen/x", b"y" * PAYLOAD_BYTES_MAX))
    assert [len(payload) for _, payload in world.told()] == [PAYLOAD_BYTES_MAX]
    assert world.bridge.state == LIVE


def test_while_no_broker_is_there_the_newest_wait():
    world = World()
    world.step()
    world.lose("connection refused")
    assert world.logs() == ["mqtt: no broker at broker.example:1883: connection refused"]
    for number in range(100):
        world.bus.publish(RESULT, b"%d" % number)
    world.wait(100_000)
    assert len(world.taken(Open)) == 2
    world.lose("connection refused")
    (line,) = world.logs()
    assert "dropped 36 messages to the broker, the oldest" in line
    world.now_ms += 100_000
    packets = world.live()
    got = []
    while packets:
        got += [one.payload for one in packets if one.topic == RESULT]
        world.acknowledge(packets)
        packets = world.sent()
    assert got == [b"%d" % number for number in range(36, 100)]


def test_unanswered_messages_are_said_again_in_order():
    world = World()
    world.acknowledge(world.live())
    for number in range(12):
        world.bus.publish(RESULT, b"%d" % number)
    first = world.sent()
    assert [one.payload for one in first] == [b"%d" % number for number in range(session.IN_FLIGHT_MAX)]
    world.acknowledge(first[:2])
    assert [one.payload for one in world.sent()] == [b"8", b"9"]
    world.lose()
    world.now_ms += 100_000
    assert len(world.live()) == session.IN_FLIGHT_MAX
    world.lose()  # while some of them still wait to be said again
    world.now_ms += 100_000
    packets = world.live()
    got = []
    while packets:
        got += [one.payload for one in packets if one.topic == RESULT]
        world.acknowledge(packets)
        packets = world.sent()
    assert got == [b"%d" % number for number in range(2, 12)]


def test_long_messages_wait_for_their_answers_one_by_one():
    world = World()
    world.acknowledge(world.live())
    world.bus.publish(RESULT, bytes(session.IN_FLIGHT_BYTES_MAX))
    world.bus.publish(RESULT, b"short")
    (long,) = world.sent()
    assert len(long.payload) == session.IN_FLIGHT_BYTES_MAX
    world.acknowledge([long])
    assert [one.payload for one in world.sent()] == [b"short"]


def test_a_silent_broker_is_left():
    """It accepts and says nothing; it answers no ping; it owes an acknowledgement."""
    world = World()
    world.open()
    assert world.step() == world.now_ms + session.ANSWER_TIMEOUT_MS
    world.wait(session.ANSWER_TIMEOUT_MS)
    assert world.is_closing()
    world = World()
    world.acknowledge(world.live())
    world.wait(session.PING_MS)
    (ping,) = world.sent()
    assert ping.first == 0xC0
    world.say(b"\xd0\0")
    world.wait(session.PING_MS)
    assert [one.first for one in world.sent()] == [0xC0]
    world.wait(session.ANSWER_TIMEOUT_MS)
    assert world.is_closing()
    world = World()
    world.acknowledge(world.live())
    world.bus.publish(RESULT, b"1")
    world.sent()
    world.wait(session.ANSWER_TIMEOUT_MS)
    assert world.is_closing()
    assert world.bridge.state == CLOSING
    world.lose("closed")
    assert "the broker owes an answer for 15 s" in world.logs()[-1]


HOSTILE = (
    b"\x00\x00",
    b"\x10\x00",
    b"\xff\xff\xff\xff\xff",
    b"\x20\x80\x80\x80\x80\x01",
    b"\x20\x03\0\0\0",
    b"\x20\x82\0\0\0",
    b"\x20\x02\2\0",
    b"\x20\x02\1\5",
    b"\x20\x02\0\x06",
    b"\x40\x02\0\0",
    b"\x40\x02\0\x63",
    b"\x90\x03\0\x63\1",
    b"\x90\x04\0\1\1\1",
    b"\x90\x03\0\1\2",
    b"\xd0\0",
    b"\xd1\0",
    b"\xd0\1\0",
    b"\xb0\2\0\1",
    b"\x50\2\0\1",
    b"\x32\x04\0\1xy",
    b"\x32\x05\0\1x\0\0",
    b"\x34\x05\0\1x\0\1",
    b"\x36\x05\0\1x\0\1",
    b"\x30\x02\0\0",
    b"\x30\x02\0\1",
    b"\x30\x03\0\1+",
    b"\x30\x03\0\1\0",
    b"\x30\x04\0\2\xc0\x80",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
)


def test_whatever_breaks_a_rule_ends_the_connection_alone():
    for data in HOSTILE:
        for is_live in (False, True):
            world = World()
            if is_live:
                world.acknowledge(world.live())
            else:
                world.open()
            world.say(data)
            assert world.is_closing(), data
            assert world.told() == []
            assert world.sent() == [], "nothing more is said to it"
            world.lose("closed")
            assert world.bridge.state == RESTING
            assert len(world.logs()) == 1 + is_live
            world.now_ms += 100_000
            world.live()
            assert world.bridge.state == LIVE


def test_half_packets_are_waited_for_and_no_longer():
    for whole in (b"\x20\x02\0\0", message(UPDATE, b"x" * 300, 1), b"\x30\xff\xff\xff\x7f\0\1x"):
        for size in range(1, len(whole)):
            world = World()
            if whole[0] == 0x20:
                world.open()
            else:
                world.acknowledge(world.live())
            world.say(whole[:size])
            assert not world.is_closing()
            world.wait(session.PING_MS)
            world.wait(session.ANSWER_TIMEOUT_MS)
            assert world.is_closing()


def test_a_packet_comes_byte_by_byte_and_many_at_once():
    world = World()
    world.acknowledge(world.live())
    payloads = [b"%d" % number for number in range(50)]
    data = b"".join([message(UPDATE, payload, 1) for payload in payloads])
    for at in range(len(data)):
        world.say(data[at : at + 1])
    assert [payload for _, payload in world.told()] == payloads
    world.say(data)
    assert [payload for _, payload in world.told()] == payloads
    assert len(world.sent()) == 2 * len(payloads)


def test_a_flood_is_taken_a_few_a_step_and_the_port_reads_no_more_meanwhile():
    world = World()
    world.acknowledge(world.live())
    world.bridge.received(message(UPDATE, b"x") * 1000, world.now_ms)
    steps = 0
    while world.step() == world.now_ms:
        steps += 1
        assert world.bridge.is_full
        assert len(world.told()) == session.PACKETS_PER_STEP
    assert steps == 1000 // session.PACKETS_PER_STEP
    assert not world.bridge.is_full


def test_a_broker_that_takes_no_answers_is_read_no_more():
    world = World()
    world.acknowledge(world.live())
    flood = message(UPDATE, b"x", 1) * 2000
    world.bridge.received(flood, world.now_ms)
    while world.step() == world.now_ms:
        pass
    assert world.bridge.is_full
    taken = world.local._dropped + len(world.told())
    assert taken < 2000
    assert len(world.bridge._session._output) <= session.OUTPUT_BYTES_MAX + 16
    world.wait(session.PING_MS + session.ANSWER_TIMEOUT_MS)
    assert world.is_closing()


def test_refusals_are_told_in_words():
    for code, words in ((4, "user or password is wrong"), (5, "this node may not connect")):
        world = World()
        world.open()
        world.say(b"\x20\x02\0" + bytes([code]))
        assert world.is_closing()
        world.lose("closed")
        assert world.logs() == ["mqtt: no broker at broker.example:1883: " + words]
        world.now_ms += 100_000
        world.open()
        world.logs()
        world.bridge.received(b"\x20\x02\0\3", world.now_ms)
        world.lose()
        assert world.logs() == ["mqtt: no broker at broker.example:1883: it is not available"], "said with its end"
    world = World()
    world.open()
    world.say(b"\x20\x02\0\0")
    asked = [one for one in world.sent() if one.kind == 8]
    world.say(packet(0x90, asked[0].number.to_bytes(2, "big") + b"\x80"))
    assert world.logs()[-1] == "mqtt: the broker allows no subscription to " + incoming("kitchen")[0]
    assert world.bridge.state == LIVE


def test_the_backoff_grows_and_a_connection_that_lasted_resets_it():
    world = World()
    pauses = []
    for _ in range(9):
        world.step()
        assert len(world.taken(Open)) == 1
        world.lose("connection refused")
        pauses.append(world.step() - world.now_ms)
        world.now_ms += pauses[-1]
    assert pauses[0] <= 1000
    assert pauses == sorted(pauses)
    assert bridge.BACKOFF_CAP_MS // 4 < pauses[-1] <= bridge.BACKOFF_CAP_MS
    assert len(world.logs()) == 1, "one line for each change"
    world.acknowledge(world.live())
    for _ in range(3):
        world.wait(session.PING_MS)
        world.say(b"\xd0\0")
        world.sent()
    world.lose()
    assert world.step() - world.now_ms <= 1000


def test_it_stops_with_a_goodbye():
    world = World()
    world.acknowledge(world.live())
    world.clock.learn(1_700_000_000_000 + world.now_ms, world.now_ms)
    world.bridge.stop(world.now_ms)
    assert world.is_closing()
    last, goodbye = world.sent()
    assert last.topic == "$hw/events/disconnected/kitchen"
    assert b'"timestamp":%d}' % (1_700_000_000_000 + world.now_ms) in last.payload
    assert goodbye.first == 0xE0
    world.lose("closed")
    assert world.bridge.state == STOPPED
    assert world.wait(1_000_000) is None
    world = World()
    world.bridge.stop(world.now_ms)
    assert world.bridge.state == STOPPED


def test_every_cell_of_the_table_names_an_action():
    assert len(TABLE) == len(STATE_NAMES)
    for row in TABLE:
        assert len(row) == bridge.STOP + 1
        for cell in row:
            assert hasattr(Bridge, "_do_" + cell)


def test_names_that_fit_no_filter_are_refused():
    try:
        World("node = %s\nhub = h\nmqtt = b\n" % ("n" * 120))
    except ConfigurationError as error:
        assert error.path == "mqtt"
        assert "122" in error.text
    else:
        raise AssertionError("taken")


def test_config_lines():
    config = parse(CONFIG + "mqtt_qos = 0\nmqtt_prefix = a/\nmqtt_user = u\nmqtt_password_file = p\n")
    assert config.mqtt == ("broker.example", 1883)
    assert (config.mqtt_qos, config.mqtt_prefix, config.mqtt_user, config.mqtt_password_file) == (0, "a/", "u", "p")
    assert parse(CONFIG.replace("broker.example", "[::1]:8")).mqtt == ("::1", 8)
    for wrong, named in (
        ("mqtt_qos = 2", "mqtt_qos"),
        ("mqtt_prefix = +/", "mqtt_prefix"),
        ("mqtt_prefix = $hw/", "mqtt_prefix"),
        ("mqtt_prefix = %s" % ("x" * 65), "mqtt_prefix"),
        ("mqtt_password_file = p", "mqtt_user"),
        ("mqtt = :x", "mqtt"),
    ):
        _refused(CONFIG + wrong, named)
    _refused(CONFIG.replace("mqtt =", "mqtt_user ="), "mqtt")


def _refused(text, named):
    try:
        parse(text)
    except ConfigurationError as error:
        assert named in error.path
    else:
        raise AssertionError("taken: " + text)
