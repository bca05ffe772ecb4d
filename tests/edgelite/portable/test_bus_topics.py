"""Names and filters of topics: the examples of MQTT 3.1.1, section 4.7, and the bounds that are ours."""

from edgelite.bus import topics
from edgelite_protocol.errors import ProtocolError


def matches(text, topic):
    return topics.matches(topics.filter_levels(text), topics.topic_levels(topic))


def is_refused(function, text):
    try:
        function(text)
    except ProtocolError as error:
        return error.code == "bus_topic"
    return False


def test_the_examples_of_the_standard():
    for text, topic, expected in (
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport/tennis", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("+/tennis/#", "sport/tennis/x", True),
        ("#", "$SYS/uptime", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
        ("a//b", "a/b", False),
        ("sport", "sport/", False),
    ):
        assert matches(text, topic) is expected, (text, topic)


def test_what_is_no_filter_and_what_is_no_topic():
    for text in ("sport/tennis#", "sport/tennis/#/ranking", "sport+", "#/a", "", "a\0b", "+a/b", "a" * 513, "/" * 32):
        assert is_refused(topics.filter_levels, text), text
    for text in ("a/+", "#", "a#", "a+b", "", "a\0", "\u00e9" * 257, "/" * 32):
        assert is_refused(topics.topic_levels, text), text


def test_the_longest_that_is_taken():
    assert len(topics.topic_levels("/" * 31)) == topics.LEVELS_MAX
    assert topics.filter_levels("a" * 512) == ["a" * 512]
