"""Names and filters of topics, as MQTT 3.1.1 has them (section 4.7), in levels: "a/b" is ["a", "b"].

a/b     the topic a/b                        a/#     a, a/b, a/b/c
a/+     a/b and a/, not a/b/c                #, +    nothing that begins with $: such topics are named outright
"""

from edgelite_protocol.errors import ProtocolError

# MQTT allows 65,535. The longest of ours names a device (namespace 63, name 253) and takes 360.
TOPIC_BYTES_MAX = 512
LEVELS_MAX = 32


def topic_levels(topic: str) -> "list[str]":
    """The levels of a topic's name; ProtocolError "bus_topic" where it is none."""
    levels = _levels(topic)
    if "+" in topic or "#" in topic:
        raise ProtocolError("bus_topic", "one may subscribe to + and #, not publish to them: " + topic)
    return levels


def filter_levels(text: str) -> "list[str]":
    """The levels of a topic filter; ProtocolError "bus_topic" where it is none."""
    levels = _levels(text)
    for index in range(len(levels)):
        level = levels[index]
        if level == "#" and index < len(levels) - 1:
            raise ProtocolError("bus_topic", "# stands for all that follows, so it comes last: " + text)
        if level not in ("+", "#") and ("+" in level or "#" in level):
            raise ProtocolError("bus_topic", "+ and # stand alone between two slashes: " + text)
    return levels


def _levels(text: str) -> "list[str]":
    if not text:
        raise ProtocolError("bus_topic", "a topic has at least one character")
    if len(text.encode()) > TOPIC_BYTES_MAX:
        raise ProtocolError("bus_topic", "a topic has at most %d bytes" % TOPIC_BYTES_MAX)
    if "\0" in text:
        raise ProtocolError("bus_topic", "a topic holds no U+0000")
    levels = text.split("/")
    if len(levels) > LEVELS_MAX:
        raise ProtocolError("bus_topic", "a topic has at most %d levels" % LEVELS_MAX)
    return levels


def matches(wanted: "list[str]", levels: "list[str]") -> bool:
    """Whether the topic of `levels` is one that the filter of levels `wanted` asks for."""
    count = len(wanted)
    if wanted[-1] == "#":
        count -= 1
        if len(levels) < count:
            return False
    elif len(levels) != count:
        return False
    first = wanted[0]
    if (first == "#" or first == "+") and levels[0][:1] == "$":
        return False
    for index in range(count):
        level = wanted[index]
        if level != "+" and level != levels[index]:
            return False
    return True
