"""A network namespace behind a line like a profile: for real where the machine has what it takes, and where it has not,
it says what is missing, and leaves nothing behind."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgelite_sim.live.namespaces import Namespace, shaping, why_not
from edgelite_sim.live.packet_rules import NamespaceError, iptables_rules, nft_rules
from edgelite_sim.network.conditions import UnknownKindError
from edgelite_sim.network.profile import Profile, builtin
from edgelite_sim.network.timetable import FixedPlan

WIRE = replace(builtin("lan"), rate_bit_s=(2_000_000, 50_000_000))
SLOW = Profile("slow", latency_ms=(150, 150))
REASONS = ("root", "'ip'", "'tc'", "sch_", "Operation not permitted", "not supported")
CLIENT = """
import socket, sys
try:
    channel = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
    channel.sendall(b"x" * int(sys.argv[4]))
    channel.shutdown(socket.SHUT_WR)
    print(channel.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


def leftovers() -> list[str]:
    """What is named after this process."""
    mark = f"edgelite-{os.getpid()}-"
    named = [path.name for folder in ("/run/netns", "/var/run/netns") for path in Path(folder).glob(mark + "*")]
    return named + [path.name for path in Path("/sys/class/net").glob(f"el{os.getpid()}*")]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert leftovers() == []


@contextlib.contextmanager
def namespace_or_reason(profile: Profile) -> Iterator[Namespace | None]:
    """None where the machine has no such thing, after a look at what the error says."""
    reason = why_not(profile)
    if not reason:
        with Namespace(profile) as made:
            yield made
        return
    assert any(part in reason for part in REASONS), reason
    with pytest.raises(NamespaceError) as caught:
        Namespace(profile).__enter__()
    assert str(caught.value).split(":")[-1] == reason.split(":")[-1]
    yield None


class Server:
    """Counts what it gets on one connection after another, and answers each with the count."""

    def __init__(self, host: str) -> None:
        self.listening = socket.create_server((host, 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                with connection:
                    count = 0
                    while data := connection.recv(65_536):
                        count += len(data)
                    connection.sendall(str(count).encode())


def ask(site: Namespace, server: Server, timeout_s: float = 10, size_bytes: int = 5) -> str:
    words = [sys.executable, "-c", CLIENT, site.host_address, str(server.port), str(timeout_s), str(size_bytes)]
    return str(site.run(words, capture_output=True, text=True, check=True).stdout).strip()


def test_a_program_in_it_reaches_this_machine_at_the_profiles_rate_and_not_when_it_is_cut() -> None:
    with namespace_or_reason(WIRE) as site:
        if site is None:
            return
        server = Server(site.host_address)
        assert ask(site, server) == "5"
        began_s = time.monotonic()
        assert ask(site, server, size_bytes=200_000) == "200000"
        assert time.monotonic() - began_s > 0.5  # 1.6 Mbit at 2 Mbit/s, less what the bucket holds
        for kind in ("silent", "one-way-up", "one-way-down"):
            site.cut(kind)
            assert site.state == kind
            assert ask(site, server, 0.4) == "TimeoutError"
            site.heal()
            assert ask(site, server) == "5"


def test_latency_is_netems_work() -> None:
    with namespace_or_reason(SLOW) as site:
        if site is not None:
            server = Server(site.host_address)
            began_s = time.monotonic()
            assert ask(site, server) == "5"
            assert time.monotonic() - began_s > 0.6


def test_refusing_and_dropping_by_size_take_rules_on_packets() -> None:
    with namespace_or_reason(WIRE) as site:
        if site is None:
            return
        server = Server(site.host_address)
        if shutil.which("nft") or shutil.which("iptables"):
            site.cut("refused")
            assert ask(site, server, 2) == "ConnectionRefusedError"
            site.cut("mtu")
            assert ask(site, server) == "5"
            assert ask(site, server, 0.8, size_bytes=1_000) == "TimeoutError"
            site.heal()
            assert ask(site, server, size_bytes=1_000) == "1000"
        else:
            with pytest.raises(NamespaceError, match="'nft' and 'iptables' are missing"):
                site.cut("refused")


def test_the_profiles_timetable_runs() -> None:
    plan = FixedPlan("silent", 100_000, ((300, 1_200),), phase_ms=0)
    with namespace_or_reason(replace(WIRE, outages=(plan,))) as site:
        if site is None:
            return
        states: list[str] = []
        for _ in range(60):
            if not states or states[-1] != site.state:
                states.append(site.state)
            time.sleep(0.03)
        assert states == ["up", "silent", "up"]


def test_its_end_ends_what_runs_in_it() -> None:
    with namespace_or_reason(WIRE) as site:
        if site is None:
            return
        process = site.popen([sys.executable, "-c", "import time; time.sleep(100)"], stdout=subprocess.DEVNULL)
    assert process.poll() is not None


def test_an_error_while_it_is_made_leaves_nothing_behind() -> None:
    with pytest.raises(NamespaceError):
        Namespace(replace(WIRE, rate_bit_s=(-1, -1))).__enter__()


def test_what_only_the_proxy_can_do_is_refused_by_name() -> None:
    with pytest.raises(NamespaceError, match=r"no 'reset'; allowed: silent, .*the proxy"):
        Namespace("flaky-lte").__enter__()
    with pytest.raises(NamespaceError, match="no 'captive'"):
        Namespace(WIRE).cut("captive")
    with pytest.raises(UnknownKindError):
        Namespace(WIRE).cut("rain")


def test_what_tc_is_told() -> None:
    lte = builtin("lte")
    assert shaping(lte, 0) == ["netem", "limit", "1000", "delay", "42ms", "7ms", "loss", "0.05%", "rate", "5000000bit"]
    assert shaping(builtin("lan"), 1) == ["tbf", "rate", "100000000bit", "burst", "32768", "latency", "500ms"]
    assert shaping(Profile("none"), 1) == ["pfifo"]


def test_what_the_rules_say() -> None:
    plain, refused, hole = nft_rules(False, 0), nft_rules(True, 0), nft_rules(False, 576)
    assert plain.count("\n    ") == 2  # two chains that let everything pass
    assert 'oifname != "lo" meta l4proto tcp reject with tcp reset\n' in refused
    assert hole.count("meta length > 576 drop") == 2
    assert iptables_rules(False, 0) == [["-F", "OUTPUT"], ["-F", "INPUT"]]
    assert ["-A", "INPUT", "!", "-i", "lo", "-j", "DROP"] in iptables_rules(True, 0)
    assert sum("577:65535" in words for words in iptables_rules(False, 576)) == 2
