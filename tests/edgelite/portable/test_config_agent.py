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


def test_a_serial_link_in_place_of_a_hub():
    config = parse("node = attic\nlink = serial:/dev/serial/by-path/pci-0:1:2-port0:115200\nlink_address = 7\n")
    assert (config.link.path, config.link.baud) == ("/dev/serial/by-path/pci-0:1:2-port0", 115200)
    assert config.link.address == 7 and config.hubs == []
    assert parse("node = a\nlink = serial:uart1:9600\n").link.address == 1


def test_the_lines_of_a_gateway():
    config = parse("node = a\nhub = h\ngateway = /dev/ttyUSB0:115200, /dev/ttyUSB1:9600\n")
    assert [(one.path, one.baud) for one in config.gateway] == [("/dev/ttyUSB0", 115200), ("/dev/ttyUSB1", 9600)]


def test_serial_lines_that_are_none():
    rows = (
        ("link = /dev/ttyS0:9600", "line 2, link"),
        ("link = serial:/dev/ttyS0", "line 2, link"),
        ("link = serial:/dev/ttyS0:fast", "line 2, link"),
        ("link = serial:/dev/ttyS0:50", "line 2, link"),
        ("link = serial::9600", "line 2, link"),
        ("link_address = 0", "line 2, link_address"),
        ("link_address = 255", "line 2, link_address"),
        ("gateway = ", "line 2, gateway"),
        ("gateway = /dev/a:9600, /dev/a:9600", "line 2, gateway"),
        ("gateway = " + ", ".join(["/dev/t%d:9600" % number for number in range(17)]), "line 2, gateway"),
        ("hub = h\nlink = serial:/dev/ttyS0:9600", "link"),
        ("link = serial:/dev/ttyS0:9600\ngateway = /dev/ttyS1:9600", "link"),
    )
    for text, path in rows:
        try:
            parse("node = a\n" + text + "\n")
        except ConfigurationError as error:
            assert error.path == path, (text, error.path)
            continue
        raise AssertionError(text)


def test_drivers_of_others():
    text = "drivers = thermo:thermo_pack.driver, scale:process:/opt/scale --port 7\ndriver_path = /opt/a, /opt/b\n"
    config = parse("node = a\nhub = h\n" + text + "driver_python = /usr/bin/python3.11\n")
    found = {name: (config.drivers[name].module, config.drivers[name].command) for name in config.drivers}
    assert found == {"thermo": ("thermo_pack.driver", []), "scale": ("", ["/opt/scale", "--port", "7"])}
    assert (config.driver_path, config.driver_python) == (["/opt/a", "/opt/b"], "/usr/bin/python3.11")
    config = parse("node = a\nhub = h\ndriver_environment = EDGELITE_BLE_ADAPTER=hci1, X=a=b\n")
    assert config.driver_environment == {"EDGELITE_BLE_ADAPTER": "hci1", "X": "a=b"}


def test_drivers_that_are_none():
    rows = (
        ("drivers = ", "drivers"),
        ("drivers = thermo", "drivers"),
        ("drivers = thermo:", "drivers"),
        ("drivers = Thermo:module", "drivers"),
        ("drivers = a:b, a:c", "drivers"),
        ("drivers = a:process:", "drivers"),
        ("drivers = a:../b", "drivers"),
        ("drivers = a:b..c", "drivers"),
        ("drivers = a:1b", "drivers"),
        ("drivers = " + ", ".join(["d%d:m" % number for number in range(33)]), "drivers"),
        ("driver_path = opt", "driver_path"),
        ("driver_path = ", "driver_path"),
        ("driver_python =", "driver_python"),
        ("driver_environment = hci1", "driver_environment"),
        ("driver_environment = A-B=1", "driver_environment"),
        ("driver_environment = =1", "driver_environment"),
    )
    for text, key in rows:
        try:
            parse("node = a\nhub = h\n" + text + "\n")
        except ConfigurationError as error:
            assert error.path == "line 3, " + key, (text, error.path)
            continue
        raise AssertionError(text)
