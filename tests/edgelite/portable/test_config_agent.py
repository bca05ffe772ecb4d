"""agent.conf: what it takes, and what it says of what it doesn't."""

from edgelite.config import parse, parse_address
from edgelite.driver import ConfigurationError

GOOD = "# a comment\nnode = kitchen-1\nhub = hub.example:7444, [2001:db8::1]:7000 # two ways\n\nlog_level = debug\n"


def refused(text):
    try:
        parse(text)
    except ConfigurationError as error:
        return str(error)
    raise AssertionError("taken: " + text)


def test_good():
    config = parse(GOOD)
    assert config.node == "kitchen-1"
    assert config.hubs == [("hub.example", 7444), ("2001:db8::1", 7000)]
    assert config.log_level == "debug"
    assert config.backoff_cap_ms == 300_000


def test_addresses():
    assert parse_address("hub") == ("hub", 7444)
    assert parse_address("hub:1") == ("hub", 1)
    assert parse_address("2001:db8::1") == ("2001:db8::1", 7444)
    assert parse_address("[2001:db8::1]") == ("2001:db8::1", 7444)
    assert parse_address("[2001:db8::1]:9") == ("2001:db8::1", 9)
    for wrong in ("", ":7444", "hub:0", "hub:65536", "hub:x"):
        try:
            parse_address(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_refused_by_line_and_key():
    assert "line 2" in refused("node = a\nnonsense\nhub = h")
    assert "line 1" in refused("nod = a")
    assert "line 1, node" in refused("node = A_b\nhub = h")
    assert "line 2, journal_bytes_max" in refused("node = a\njournal_bytes_max = many\nhub = h")
    assert "line 1, log_level" in refused("log_level = loud")
    assert "line 1, hub" in refused("hub = a,b,c,d,e,f,g,h,i\nnode = n")


def test_missing():
    assert "hub: is missing" in refused("node = a")
    assert "node: is missing" in refused("hub = a")
