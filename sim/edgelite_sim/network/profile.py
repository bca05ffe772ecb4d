"""What a kind of network is like, in numbers; profiles.toml has the named ones and says where the numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from edgelite_sim.network.timetable import Plan

DNS_FAILURE_MS = 10_000  # two attempts of five seconds each, as resolvers do it


@dataclass(frozen=True, slots=True)
class Profile:
    """Directions are (towards the hub, towards the node). 0 stands for "none", "never" or "no limit"."""

    name: str
    summary: str = ""
    latency_ms: tuple[int, int] = (0, 0)  # one way, without the time that the bytes themselves take
    jitter_ms: int = 0  # up to this much more, drawn for each segment
    spread_ms: int = 0  # up to this much more, drawn for each connection: they overtake each other
    loss: tuple[float, float] = (0.0, 0.0)  # of each segment
    rate_bit_s: tuple[int, int] = (0, 0)  # shared by all connections
    queue_ms: int = 500  # what the line holds before its sender waits
    segment_bytes: int = 1400  # payload of a full segment
    hole_bytes: int = 0  # segments larger than this, with headers, vanish
    nat_idle_ms: int = 0  # a connection that was silent for longer is forgotten
    forget_ms: int = 0  # an outage longer than this makes the way forget all connections
    dns_ms: int = 20  # what an answer takes beyond a round trip
    dns_loss: float = 0.0  # lookups that fail
    dns_failure_ms: int = DNS_FAILURE_MS
    outages: tuple[Plan, ...] = ()

    @property
    def round_trip_ms(self) -> int:
        return sum(self.latency_ms)


@cache
def _builtins() -> dict[str, Profile]:
    from edgelite_sim.network.profile_file import read_profiles

    text = resources.files("edgelite_sim.network").joinpath("profiles.toml").read_text("utf-8")
    return read_profiles(text, "profiles.toml", {})


def names() -> list[str]:
    """Of the profiles that are here, in the order of profiles.toml."""
    return list(_builtins())


class UnknownProfileError(ValueError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no profile '{name}'; allowed: {', '.join(known)}")
        self.name = name


def builtin(name: str) -> Profile:
    """UnknownProfileError lists those that there are."""
    found = _builtins().get(name)
    if found is None:
        raise UnknownProfileError(name, names())
    return found


def parse(text: str, where: str) -> dict[str, Profile]:
    """The profiles of a TOML file, one for each table; each may be `base = "lte"`, or another one of the file, and
    changes. `where` is the file's name. ProfileError names file, line, key and what is allowed."""
    from edgelite_sim.network.profile_file import read_profiles

    return read_profiles(text, where, _builtins())
