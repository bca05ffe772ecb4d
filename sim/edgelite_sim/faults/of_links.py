"""Faults of a node's way to its hub."""

from __future__ import annotations

from edgelite_sim.faults.kind import Ending, Kind, Parameters, Scene, lasting
from edgelite_sim.network import conditions
from edgelite_sim.written.fields import Field

# As `Link.cut` names them.
OUTAGES = conditions.KINDS


def outage(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.nodes[target].cut(parameters["how"])
    return scene.world.nodes[target].heal


def change_profile(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    before = node.link.profile
    node.use(scene.profile(parameters["profile"]))
    return lambda: node.use(before)


def heal(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    """The timetable ends what lasts (scenario/timetable.py); a link that was cut by other means is mended here."""
    scene.world.nodes[target].heal()
    return None


KINDS = (
    Kind(
        "outage",
        "link",
        "The way to the hub fails in one of the ways that real ones do.",
        (
            Field(
                "how",
                "text",
                "silent: nothing arrives, nobody says so (a tunnel); refused: ends with a reset",
                "silent",
                choices=OUTAGES,
            ),
            lasting(sentence="then it ends by itself; left out: it stays until a heal"),
        ),
        outage,
        "line",
    ),
    Kind(
        "profile",
        "link",
        "The way to the hub becomes another one, as where a modem falls back from LTE to GPRS.",
        (Field("profile", "text", "a name of `edgelite sim profiles`, or one of the scenario's own"), lasting()),
        change_profile,
        "profile",
    ),
    Kind("heal", "link", "Ends the outages of these links that have no end of their own.", (), heal),
)
