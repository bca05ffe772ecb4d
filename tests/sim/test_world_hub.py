"""The simulated hub: sessions, desired state, reports, certificates, objects, artifacts."""

from __future__ import annotations

import pytest

from edgelite_hub.model.status import StatusError
from edgelite_hub.settings import DAY_MS, Settings
from edgelite_protocol.errors import MisuseError, PlatformError
from tests.sim.hub_nodes import Setting, device, metered, pod

METER = "default/meter-n1"


def names(node: object) -> list[str]:
    return sorted(key.split("/")[1] for _, key in node.desired)  # type: ignore[attr-defined]


def values(setting: Setting) -> list[object]:
    return [sample.value for sample in setting.hub.samples(METER)]


# ---- sessions


@pytest.mark.parametrize("store_ms", [0, 1, 300])
@pytest.mark.parametrize("piece_bytes", [7, 4096])
def test_a_node_gets_what_is_wanted_of_it_and_its_reports_are_stored(store_ms: int, piece_bytes: int) -> None:
    setting = Setting(store_ms=store_ms)
    node = metered(setting, "n1")
    node.piece_bytes = piece_bytes
    setting.hub.apply(pod("p", "n1"))
    assert node.connect()
    setting.run(5_000)
    assert names(node) == ["meter-n1", "p"]
    for value in range(40):
        node.report(value)
    setting.run(30_000)
    assert not node.waiting
    assert values(setting) == list(range(40))


def test_more_than_one_feed_read_reaches_a_node() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    node.cut()
    for number in range(100):
        setting.hub.apply(pod(f"p{number}", "n1"))
    node.connect()
    setting.run(5_000)
    assert len(node.desired) == 101


def test_what_is_applied_while_a_session_is_open_goes_at_once() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    setting.hub.apply(pod("p", "n1"))
    setting.run(20)
    assert names(node) == ["meter-n1", "p"]
    setting.hub.delete("devices", "meter-n1")
    setting.run(20)
    assert names(node) == ["p"]


def test_an_idle_session_lives_on_keepalives_for_days() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run(2 * DAY_MS)
    assert node.session is not None and node.ends == []


def test_a_node_that_falls_silent_is_noticed() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    peer = node.go_silent()
    setting.run(900_000)
    assert peer.is_closed
    assert setting.lines("n1: session ended (silent")
    value = setting.hub.get("nodes", "n1")
    assert value is not None and value["status"]["conditions"][0]["status"] == "Unknown"


def test_a_newer_session_of_a_node_takes_over() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    peer = node.go_silent()
    node.connect()
    setting.run()
    assert peer.data_to_send(4096), "the older one is told"
    assert peer.is_closed
    assert node.session is not None


def test_peers_that_say_no_hello_leave_room_for_no_more() -> None:
    setting = Setting(settings=Settings(connections_unidentified_max=2))
    node = setting.node("n1")
    waiting = [setting.hub.connect(None, "192.0.2.9") for _ in range(2)]
    assert all(waiting)
    assert not node.connect()
    assert setting.lines("turned away, too many connections")
    setting.run(60_000)
    assert all(peer is not None and peer.data_to_send(4096) and peer.is_closed for peer in waiting)
    assert node.connect()


def test_a_hub_that_stops_says_goodbye_and_can_start_at_once() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    setting.hub.stop()
    assert node.ends == ["hub_stopping"]
    setting.hub.start()
    assert node.connect()
    setting.run()
    assert node.session is not None


def test_a_hub_that_is_down_takes_nobody() -> None:
    setting = Setting()
    node = setting.node("n1")
    setting.hub.crash()
    assert not node.connect()
    with pytest.raises(PlatformError, match="hub is down"):
        setting.hub.apply(pod("p", "n1"))
    setting.hub.start()
    with pytest.raises(MisuseError, match="runs already"):
        setting.hub.start()


# ---- certificates


SHORT = Settings(certificate_lifetime_ms=3 * DAY_MS)


def test_a_certificate_is_renewed_when_two_thirds_are_over() -> None:
    setting = Setting(settings=SHORT)
    node = setting.node("n1")
    node.connect()
    setting.run(2 * DAY_MS)
    assert node.ends == ["renewal_due"]
    first = node.identity
    node.renew()
    setting.run()
    assert node.identity.not_after_ms == first.not_after_ms + 2 * DAY_MS
    assert node.identity.serial != first.serial
    node.connect()
    setting.run(DAY_MS)
    assert node.session is not None


def test_with_an_expired_certificate_a_node_can_renew_and_nothing_else() -> None:
    setting = Setting(settings=SHORT)
    node = setting.node("n1")
    setting.run(3 * DAY_MS)
    node.connect()
    setting.run()
    assert node.ends == ["certificate_expired"]
    node.renew()
    setting.run()
    node.connect()
    setting.run()
    assert node.session is not None


def test_a_node_that_was_deleted_is_refused_until_it_is_provisioned_anew() -> None:
    setting = Setting()
    node = setting.node("n1")
    node.connect()
    setting.run()
    setting.hub.delete("nodes", "n1")
    setting.run()
    node.connect()
    setting.run()
    assert node.ends == ["node_revoked", "node_revoked"]
    node.identity = setting.hub.provision("n1")
    node.connect()
    setting.run()
    assert node.session is not None


# ---- objects and artifacts


def test_yaml_is_taken_document_by_document_and_again_as_a_replacement() -> None:
    setting = Setting()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: '%s'}\n---\n---\n"
    first, second = (setting.hub.apply(text % word)[0] for word in ("one", "two"))
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    value = setting.hub.get("configmaps", "words")
    assert value is not None and value["data"] == {"a": "two"}


def test_what_the_hub_refuses_says_why_in_its_own_words() -> None:
    setting = Setting()
    with pytest.raises(StatusError, match=r'unknown field "spec.containers\[0\].imag"'):
        setting.hub.apply({**pod("p", "n1"), "spec": {"containers": [{"name": "main", "imag": "host"}]}})
    with pytest.raises(StatusError, match="runtimeClassName"):
        setting.hub.apply({**pod("p", "n1"), "spec": {"containers": [{"name": "main", "image": "host"}]}})
    with pytest.raises(MisuseError, match="no kind v1 Gadget: there are v1 Namespace"):
        setting.hub.apply({"apiVersion": "v1", "kind": "Gadget", "metadata": {"name": "x"}})
    with pytest.raises(MisuseError, match="no resource 'gadgets': there are namespaces"):
        setting.hub.get("gadgets", "x")
    with pytest.raises(StatusError, match=r'devices\.devices\.kubeedge\.io "x" not found'):
        setting.hub.delete("devices", "x")
    assert setting.hub.list("pods") == []


def test_a_join_token_is_shown_once() -> None:
    setting = Setting()
    token = {"apiVersion": "edgelite.dev/v1", "kind": "JoinToken", "metadata": {"name": "t"}, "spec": {}}
    (made,) = setting.hub.apply(token)
    assert made["status"]["token"]
    kept = setting.hub.get("jointokens", "t")
    assert kept is not None and "token" not in kept["status"]


def test_a_node_fetches_the_artifact_that_its_pod_names() -> None:
    setting = Setting()
    node = setting.node("n1")
    data = bytes(range(256)) * 500
    digest = setting.hub.push("app", "v1", data)
    value = pod("p", "n1")
    value["spec"]["containers"][0]["image"] = "app:v1"
    setting.hub.apply(value)
    node.connect()
    setting.run()
    node.fetch(digest)
    setting.run()
    assert node.artifact == data


def test_telemetry_is_kept_as_long_as_the_settings_say() -> None:
    setting = Setting()
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    node.report(1)
    setting.run(DAY_MS)
    node.report(2)
    setting.run(6 * DAY_MS + 3_600_000)
    assert values(setting) == [2]


def test_a_device_moved_to_another_node_leaves_the_first_one() -> None:
    setting = Setting()
    first, second = metered(setting, "n1"), setting.node("n2")
    for node in (first, second):
        node.connect()
    setting.run()
    setting.hub.apply(device("meter-n1", "n2"))
    setting.run()
    assert (names(first), names(second)) == ([], ["meter-n1"])
