"""How a link can be: what passes, what a new connection meets, and what becomes of the open ones. A table.

On an open connection bytes that do not pass are repeated by their sender as TCP does it, until they pass or the sender
gives up; whoever waits for them hears nothing. A condition that is momentary happens, and the link stays up.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT, RESET, FORGOTTEN = "kept", "reset", "forgotten"  # what becomes of open connections when the condition begins


@dataclass(frozen=True, slots=True)
class Condition:
    """`passes` is towards the hub, towards the node; `connect` as in `Attempt`."""

    name: str
    sentence: str
    passes: tuple[bool, bool] = (True, True)
    connect: str = "open"
    resolves: bool = True
    flows: str = KEPT
    is_momentary: bool = False


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("up", "everything passes"),
        Condition("silent", "nothing passes and nobody says so, as in a tunnel", (False, False), "silent", False),
        Condition(
            "refused", "connections are reset, new ones refused", (False, False), "refused", resolves=False, flows=RESET
        ),
        Condition(
            "one-way-up", "what the node sends is lost, what is sent to it arrives", (False, True), "silent", False
        ),
        Condition(
            "one-way-down", "what is sent to the node is lost, what it sends arrives", (True, False), "silent", False
        ),
        Condition("dns", "names are not found; open connections go on", resolves=False),
        Condition(
            "captive",
            "a portal answers HTTP in place of the hub; open connections are stuck",
            (False, False),
            "captive",
        ),
        Condition("mtu", "large segments vanish, small ones pass"),
        Condition("reset", "connections are reset in mid-frame; new ones pass", flows=RESET, is_momentary=True),
        Condition(
            "half-open",
            "connections are forgotten on the way and dead without a word; new ones pass",
            flows=FORGOTTEN,
            is_momentary=True,
        ),
    )
}
KINDS = tuple(name for name in CONDITIONS if name != "up")


class UnknownKindError(ValueError):
    def __init__(self, kind: str) -> None:
        super().__init__(f"a link can not be cut by '{kind}'; allowed: {', '.join(KINDS)}")
        self.kind = kind


def condition(kind: str) -> Condition:
    if kind not in KINDS:
        raise UnknownKindError(kind)
    return CONDITIONS[kind]
