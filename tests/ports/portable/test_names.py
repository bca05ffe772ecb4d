"""The files that tell where names are looked up, and addresses as text."""

from edgelite_ports.micropython.names import (
    NameConfiguration,
    address_text,
    candidates,
    find_host,
    is_address,
    parse_resolver,
)


def test_a_resolver_file() -> None:
    text = "# by dhcp\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch lan example.org\nnameserver nonsense\n"
    found = parse_resolver(text + "options ndots:2\nnameserver 192.0.2.3 ; last\nnameserver 192.0.2.4\n")
    assert found.servers == [("192.0.2.1", 53), ("fe80::1%eth0", 53), ("192.0.2.3", 53)]
    assert found.search == ["lan", "example.org"]


def test_without_a_server_this_machine_is_asked() -> None:
    assert parse_resolver("").servers == [("127.0.0.1", 53)]
    assert parse_resolver("nameserver\nsearch\n\0\n").servers == [("127.0.0.1", 53)]


def test_a_hosts_file() -> None:
    text = "127.0.0.1 localhost\n192.0.2.7\thub.lan  HUB # ours\n2001:db8::7 hub\nnonsense hub\n"
    assert find_host(text, "hub") == ["192.0.2.7", "2001:db8::7"]
    assert find_host(text, "Hub.LAN") == ["192.0.2.7"]
    assert find_host(text, "ours") == []
    assert find_host("", "localhost") == ["127.0.0.1", "::1"]
    assert len(find_host("192.0.2.7 many\n" * 100, "many")) == 8


def test_search_domains_are_for_names_without_a_dot() -> None:
    configuration = NameConfiguration([], ["lan", "example.org"])
    assert candidates(configuration, "hub") == ["hub.lan", "hub.example.org", "hub"]
    assert candidates(configuration, "hub.example.com") == ["hub.example.com"]
    assert candidates(configuration, "hub.") == ["hub."]


def test_addresses() -> None:
    for text in (
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "2001:db8::7",
        "::ffff:1.2.3.4",
    ):
        assert is_address(text), text
    assert is_address("1:2:3:4:5:6:7:8")
    wrong = "1.2.3 1.2.3.256 1.2.3.4.5 1.2.3. a.b.c.d hub 1.2.3.0004 1:2:3:4:5:6:7 ::: 1::2::3 1:2:3:4:5:6:7:8:9 g::1"
    for text in (wrong + " 12345:: :1:2:3:4:5:6:7 ::1.2.3.4.5 : +1.2.3.4 1:2:3:4:5:6:7:").split():
        assert not is_address(text), text
    assert not is_address("")


def test_addresses_as_text() -> None:
    assert address_text(bytes([192, 0, 2, 7])) == "192.0.2.7"
    six = address_text(bytes([0x20, 1, 13, 0xB8] + [0] * 11 + [7]))
    assert six == "2001:db8:0:0:0:0:0:7"
    assert is_address(six)
