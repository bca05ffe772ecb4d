"""What the hub's logic is given from outside, so that a simulator can run the real hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgelite_hub.kinds import default_registry
from edgelite_hub.model.registry import Registry
from edgelite_hub.security.ca import Authority
from edgelite_hub.security.key_box import KeyBox, temporary
from edgelite_hub.settings import Settings


@dataclass(frozen=True, slots=True)
class Environment:
    """`unix_ms` is the hub's wall clock, which judges certificates and tokens and dates samples; sessions and
    deadlines run on the monotonic `now_ms` that each call hands in. `log` takes one line for a person."""

    settings: Settings
    authority: Authority
    unix_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    log: Callable[[str], None]
    registry: Registry = field(default_factory=default_registry)
    key_box: KeyBox = field(default_factory=temporary)
