"""The bus: who gets what, what is lost when a queue is full, what is retained."""

from edgelite.bus import bus as b
from edgelite.bus.bus import MessageBus, Subscriber
from edgelite_protocol.errors import ProtocolError


def taken(subscriber):
    found = []
    message = subscriber.take()
    while message is not None:
        found.append((message.topic, message.payload, message.is_retained))
        message = subscriber.take()
    return found


def refusal(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except ProtocolError as error:
        return error.code
    return ""


def test_a_message_reaches_each_who_wants_it_once():
    bus = MessageBus()
    one, two, three = Subscriber(), Subscriber(), Subscriber()
    bus.subscribe(one, "a/#")
    bus.subscribe(one, "a/+")
    bus.subscribe(two, "a/b")
    bus.subscribe(three, "c")
    assert bus.publish("a/b", b"1") == 2
    assert taken(one) == taken(two) == [("a/b", b"1", False)]
    assert taken(three) == []
    assert bus.publish("a/b", b"2", besides=one) == 1
    bus.unsubscribe(two, "a/b")
    bus.unsubscribe(two, "never/was")
    bus.leave(three)
    assert bus.publish("a/b", b"3") == 1
    assert bus.is_wanted("a/b") and not bus.is_wanted("c")
    assert taken(two) == [("a/b", b"2", False)], "what was queued stays"


def test_a_full_queue_loses_its_oldest_and_says_so_and_nobody_else_loses():
    bus = MessageBus()
    slow, quick = Subscriber(), Subscriber()
    bus.subscribe(slow, "t")
    bus.subscribe(quick, "t")
    for number in range(b.QUEUE_MESSAGES_MAX + 5):
        bus.publish("t", b"%d" % number)
        assert taken(quick) == [("t", b"%d" % number, False)]
    assert slow.take_dropped() == 5 and slow.take_dropped() == 0
    assert [payload for _, payload, _ in taken(slow)] == [b"%d" % n for n in range(5, b.QUEUE_MESSAGES_MAX + 5)]
    assert quick.take_dropped() == 0


def test_a_queue_is_bounded_in_bytes_and_takes_the_longest_message():
    bus = MessageBus()
    slow = Subscriber()
    bus.subscribe(slow, "#")
    for _ in range(3):
        bus.publish("t", bytes(b.PAYLOAD_BYTES_MAX))
    assert slow.take_dropped() == 2
    assert len(taken(slow)) == 1
    assert refusal(bus.publish, "t", bytes(b.PAYLOAD_BYTES_MAX + 1)) == "bus_full"
    bus.publish("t", b"short")
    assert taken(slow) == [("t", b"short", False)], "the count of bytes was kept right"


def test_all_queues_together_are_bounded_and_who_holds_most_loses():
    bus = MessageBus()
    hung = [Subscriber() for _ in range(8)]
    for one in hung:
        bus.subscribe(one, "t")
    good = Subscriber()
    bus.subscribe(good, "t")
    bus.subscribe(good, "u")
    bus.publish("u", b"for the good one")
    for _ in range(4):
        bus.publish("t", bytes(8000))
        assert taken(good)[-1] == ("t", bytes(8000), False)
    assert sum([one.queued_bytes for one in hung]) <= b.QUEUES_BYTES_MAX
    assert good.take_dropped() == 0 and sum([one.take_dropped() for one in hung]) > 10


def test_filters_are_bounded():
    bus = MessageBus()
    one = Subscriber()
    for number in range(b.FILTERS_MAX):
        bus.subscribe(one, "t/%d" % number)
    assert refusal(bus.subscribe, one, "another") == "bus_full"
    bus.subscribe(one, "t/1")  # the same again is no other
    assert refusal(bus.subscribe, one, "a/#/b") == "bus_topic"
    assert refusal(bus.publish, "a/+", b"") == "bus_topic"


def test_retained_messages_reach_those_that_come_later():
    bus = MessageBus()
    early, late = Subscriber(), Subscriber()
    bus.subscribe(early, "#")
    bus.publish("state/a", b"on", retain=True)
    bus.publish("state/a", b"off", retain=True)
    bus.publish("state/b", b"on", retain=True)
    assert [retained for _, _, retained in taken(early)] == [False] * 3
    bus.subscribe(late, "state/+")
    assert taken(late) == [("state/a", b"off", True), ("state/b", b"on", True)]
    bus.publish("state/a", b"", retain=True)
    bus.subscribe(late, "state/+")
    assert taken(late) == [("state/a", b"", False), ("state/b", b"on", True)]


def test_what_is_retained_is_bounded_and_room_comes_back():
    bus = MessageBus()
    for number in range(b.RETAINED_MAX):
        bus.publish("t/%d" % number, b"x", retain=True)
    assert refusal(bus.publish, "one/more", b"x", retain=True) == "bus_full"
    bus.publish("t/1", b"", retain=True)
    assert refusal(bus.publish, "t/1", bytes(b.RETAINED_BYTES_MAX), retain=True) == "bus_full"
    bus.publish("one/more", b"x", retain=True)
    late = Subscriber()
    bus.subscribe(late, "#")
    assert len(taken(late)) == b.RETAINED_MAX and late.take_dropped() == 0


def test_a_retained_message_that_is_replaced_makes_room():
    bus = MessageBus()
    for number in range(200):
        bus.publish("state", b"%01000d" % number, retain=True)
    bus.publish("other", bytes(b.PAYLOAD_BYTES_MAX), retain=True)
    bus.publish("third", bytes(b.RETAINED_BYTES_MAX - b.PAYLOAD_BYTES_MAX - 2000), retain=True)
    late = Subscriber()
    bus.subscribe(late, "state")
    assert [int(payload) for _, payload, _ in taken(late)] == [199]


def test_reserved_topics_are_the_agents_but_for_what_it_serves():
    bus = MessageBus()
    bus.reserve("$hw/+/result", "a result")
    bus.reserve("$hw/#", "nobody serves it")
    bus.serve("$hw/+/get")
    assert refusal(bus.publish, "$hw/x/result", b"", from_outside=True) == "bus_reserved"
    assert refusal(bus.publish, "$hw/x/other", b"", from_outside=True) == "bus_reserved"
    assert refusal(bus.publish, "$hw/x/result", b"") == ""
    assert refusal(bus.publish, "$hw/x/get", b"", from_outside=True) == ""
