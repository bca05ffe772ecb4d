"""Where names are looked up: the texts of resolv.conf(5) and hosts(5), and addresses as text. No I/O."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SERVERS_MAX = 3  # as resolv.conf(5) has it
SEARCH_MAX = 6
ADDRESSES_MAX = 8  # of one name; more are not tried
PORT = 53


class NameConfiguration:
    """`servers`: (address, port) of each, asked in this order. `search`: domains to put behind a name without a dot.
    `hosts`: the text of a hosts file."""

    def __init__(self, servers: "list[tuple[str, int]]", search: "list[str]", hosts: str = "") -> None:
        self.servers = servers
        self.search = search
        self.hosts = hosts


def parse_resolver(text: str, hosts: str = "") -> NameConfiguration:
    """Lines that mean nothing here are passed over; without a server the machine's own is asked, as resolv.conf(5)
    has it."""
    servers: list[tuple[str, int]] = []
    search: list[str] = []
    for line in text.split("\n"):
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver" and is_address(words[1]) and len(servers) < SERVERS_MAX:
            servers.append((words[1], PORT))
        elif words[0] in ("search", "domain"):
            search = [word for word in words[1 : 1 + SEARCH_MAX] if word != "."]
    return NameConfiguration(servers or [("127.0.0.1", PORT)], search, hosts)


def find_host(text: str, name: str) -> "list[str]":
    """The addresses that a hosts file gives to a name."""
    wanted = name.lower()
    found: list[str] = []
    for line in text.split("\n"):
        words = line.split("#")[0].split()
        if len(words) > 1 and is_address(words[0]) and wanted in [word.lower() for word in words[1:]]:
            found.append(words[0])
    if not found and wanted in ("localhost", "localhost."):
        return ["127.0.0.1", "::1"]
    return found[:ADDRESSES_MAX]


def candidates(configuration: NameConfiguration, name: str) -> "list[str]":
    """The whole names to ask for, in this order."""
    if "." in name:
        return [name]
    found = [name + "." + domain for domain in configuration.search]
    found.append(name)
    return found


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    return _is_version_4(text) or _is_version_6(text.split("%")[0])


def _is_version_4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(_is_number(part) and int(part) < 256 for part in parts)


def _is_number(part: str) -> bool:
    return 0 < len(part) <= 3 and all(character in "0123456789" for character in part)


def _is_version_6(text: str) -> bool:
    groups = text.split(":")
    if len(groups) < 3 or text.count("::") > 1:
        return False
    if _is_version_4(groups[-1]):
        groups.pop()
        groups.extend(("0", "0"))
    if text.startswith("::"):
        groups = groups[1:]
    if text.endswith("::"):
        groups = groups[:-1]
    empty = len([group for group in groups if not group])
    if empty > 1 or (empty == 0) != (len(groups) == 8) or len(groups) > 8:
        return False
    return all(len(group) <= 4 and _is_hex(group) for group in groups)


def _is_hex(group: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in group)


def address_text(data: "Any") -> str:
    """Of 4 or 16 bytes."""
    if len(data) == 4:
        return ".".join([str(one) for one in data])
    return ":".join(["%x" % (data[at] << 8 | data[at + 1]) for at in range(0, 16, 2)])
