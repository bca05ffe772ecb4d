"""A hub that was restored counts versions anew: what it desires counts once a person has told its node to follow."""

from __future__ import annotations

from mutation_scenes import MINUTE, SETTLE, Scene, device


def test_what_an_adopted_hub_desires_counts_though_its_versions_are_older() -> None:
    scene = Scene()
    scene.node(desired="30")
    scene.run(5 * MINUTE)
    backup = scene.hub.backup()
    for value in ("31", "32"):
        scene.hub.apply(device("n1", MINUTE, value))
        scene.run(2 * MINUTE)
    scene.hub.restore(backup)
    scene.run(5 * MINUTE)
    node = scene.hub.get("nodes", "n1", "")
    assert node is not None
    node["metadata"]["annotations"] = {"edgelite.dev/adopt": "true"}
    scene.hub.apply(node)
    scene.run(2 * SETTLE)
    assert scene.world.devices["n1", "default/meter-n1"].source.current(0)["limit"] == 30
    scene.end()
    assert not [one.verdict() for one in scene.invariants if not one.verdict().passed]
