"""The simulated hub: sessions, desired state, reports, certificates, lives."""

from __future__ import annotations

from tests.sim.hub_nodes import Setting, metered, pod


def test_a_node_gets_what_is_wanted_of_it_and_its_reports_are_stored() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    setting.hub.apply(pod("p", "n1"))
    assert node.connect()
    setting.run()
    assert sorted(key.split("/")[1] for _, key in node.desired) == ["meter-n1", "p"]
    node.report(5)
    setting.run()
    assert not node.waiting
    assert [sample.value for sample in setting.hub.samples("default/meter-n1")] == [5]
