"""A network namespace behind a line like a profile, made by the kernel: for programs as they are, UDP and all.

    with Namespace("lte") as site:
        hub.listen(site.host_address)
        agent = site.popen(["edgelite", "agent"])
        site.cut("silent")

A pair of veth devices joins it to this machine. Delay, jitter, loss and rate are netem's on both ends (a plain rate
takes tbf alone); a cut replaces the sending end's queue by one that is too small for any packet, and what needs more
than that is nftables' or iptables' work. It takes root, and a kernel and programs that have all this: NamespaceError
says what is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from edgelite_sim.live import packet_rules
from edgelite_sim.live.packet_rules import NamespaceError, command
from edgelite_sim.network.conditions import CONDITIONS, condition
from edgelite_sim.network.flow import DOWN, UP
from edgelite_sim.network.link import HOLE_BYTES, Link
from edgelite_sim.network.profile import Profile, builtin

KINDS = ("silent", "one-way-up", "one-way-down", "refused", "mtu")  # the others are about connections: see the proxy
TOO_SMALL_FOR_ANY = ["bfifo", "limit", "1"]
BURST_BYTES = 32_768
NETEM_PACKETS_MAX = 1_000
SUBNETS = 1 << 15  # of four addresses each in 198.18.0.0/15, which is set aside for tests of networks (RFC 2544)
END_S = 2.0

_count = itertools.count()


def why_not(profile: Profile | str = "lan") -> str:
    """What this machine lacks for it; "" where it works. It makes one and removes it."""
    try:
        with Namespace(profile):
            return ""
    except NamespaceError as error:
        return str(error)


class Namespace:
    """`host_address` is this machine as those in the namespace see it, `node_address` the other way round.

    The profile's timetable runs from `__enter__` on.
    """

    def __init__(self, profile: Profile | str = "lan", seed: int = 0) -> None:
        self._profile = builtin(profile) if isinstance(profile, str) else profile
        self._link = Link(self._profile, random.Random(seed), 0, time.time_ns() // 1_000_000)
        self._began_s = time.monotonic()
        number = next(_count)
        self.name = f"edgelite-{os.getpid()}-{number}"
        self._devices = (f"el{os.getpid()}n{number}", f"el{os.getpid()}h{number}")  # in the namespace, on this machine
        low = (os.getpid() * 64 + number) % SUBNETS * 4
        self.host_address, self.node_address = (
            f"198.{18 + (low >> 16)}.{low >> 8 & 255}.{low & 255 | end}" for end in (1, 2)
        )
        self._processes: list[subprocess.Popen[Any]] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_over = False
        self._shown = "up"
        self._follower = threading.Thread(target=self._follow, name="edgelite-namespace", daemon=True)

    @property
    def state(self) -> str:
        return self._link.state

    # ---- life

    def __enter__(self) -> Namespace:
        for plan in self._profile.outages:
            self._check_kind(plan.kind)
        if os.geteuid() != 0:
            raise NamespaceError("a network namespace takes root")
        for program in ("ip", "tc"):
            if shutil.which(program) is None:
                raise NamespaceError(f"the program '{program}' is missing; it comes with iproute2")
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._follower.join()
        self._remove()

    def _make(self) -> None:
        near, far = self._devices
        command("ip", "netns", "add", self.name)
        command("ip", "link", "add", far, "type", "veth", "peer", "name", near, "netns", self.name)
        command("ip", "address", "add", self.host_address + "/30", "dev", far)
        command("ip", "link", "set", far, "up")
        command("ip", "-n", self.name, "address", "add", self.node_address + "/30", "dev", near)
        for device in ("lo", near):
            command("ip", "-n", self.name, "link", "set", device, "up")
        command("ip", "-n", self.name, "route", "add", "default", "via", self.host_address)
        self._apply()

    def _remove(self) -> None:
        """Every process in it, then itself; its device goes with it, and that device's other end."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        for word in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(word), signal.SIGKILL)
        for process in self._processes:
            process.wait()
        for words in (["netns", "delete", self.name], ["link", "delete", self._devices[1]]):
            subprocess.run(["ip", *words], capture_output=True, check=False)

    # ---- what runs in it

    def run(self, words: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """As `subprocess.run`, in the namespace."""
        return subprocess.run(self._inside(words), **options)  # whether to check is the caller's choice

    def popen(self, words: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """As `subprocess.Popen`, in the namespace; the end of the namespace ends it."""
        process = subprocess.Popen(self._inside(words), **options)
        self._processes.append(process)
        return process

    def _inside(self, words: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    # ---- the line

    def cut(self, kind: str = "silent") -> None:
        """UnknownKindError for what is no kind, NamespaceError for one that only the proxy has."""
        condition(kind)
        self._check_kind(kind)
        with self._changed:
            self._link.cut(kind, self._now_ms())
            self._apply()

    def heal(self) -> None:
        """End what `cut` began; the profile's own timetable goes on."""
        with self._changed:
            self._link.heal(self._now_ms())
            self._apply()

    def use(self, profile: Profile | str) -> None:
        profile = builtin(profile) if isinstance(profile, str) else profile
        for plan in profile.outages:
            self._check_kind(plan.kind)
        with self._changed:
            self._link.use(profile, self._now_ms())
            self._apply()
            self._changed.notify_all()

    def _check_kind(self, kind: str) -> None:
        if kind not in KINDS:
            raise NamespaceError(f"a namespace has no '{kind}'; allowed: {', '.join(KINDS)}; the proxy has the others")

    def _now_ms(self) -> int:
        return int((time.monotonic() - self._began_s) * 1000)

    def _follow(self) -> None:
        """Apply the timetable's changes when they come."""
        with self._changed:
            while not self._is_over:
                change_ms = self._link.step(self._now_ms())
                if self._link.state != self._shown:
                    with contextlib.suppress(NamespaceError):  # as far as the machine can: it is told at the beginning
                        self._apply()
                self._changed.wait(None if change_ms is None else max(0.001, (change_ms - self._now_ms()) / 1000))

    def _apply(self) -> None:
        state, profile = self._link.state, self._link.profile
        self._shown = state
        passes = CONDITIONS[state].passes if state != "refused" else (True, True)
        near, far = self._devices
        for direction, device, where in ((UP, near, ["-n", self.name]), (DOWN, far, [])):
            words = shaping(profile, direction) if passes[direction] else TOO_SMALL_FOR_ANY
            command("tc", *where, "qdisc", "replace", "dev", device, "root", *words)
        hole_bytes = HOLE_BYTES if state == "mtu" else profile.hole_bytes
        packet_rules.apply(self.name, is_refused=state == "refused", hole_bytes=hole_bytes)


def shaping(profile: Profile, direction: int) -> list[str]:
    """What tc takes for one direction of a profile."""
    rate = profile.rate_bit_s[direction]
    delay_ms, jitter_ms, loss = profile.latency_ms[direction], profile.jitter_ms, profile.loss[direction]
    if not (delay_ms or jitter_ms or loss):
        if not rate:
            return ["pfifo"]
        return ["tbf", "rate", f"{rate}bit", "burst", str(BURST_BYTES), "latency", f"{profile.queue_ms}ms"]
    # netem spreads to both sides of a mean, a profile's jitter only adds
    words = ["netem", "limit", str(NETEM_PACKETS_MAX), "delay", f"{delay_ms + jitter_ms // 2}ms", f"{jitter_ms // 2}ms"]
    if loss:
        words += ["loss", f"{100 * loss:g}%"]
    return [*words, "rate", f"{rate}bit"] if rate else words
