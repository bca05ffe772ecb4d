"""Sessions of nodes on the real logic: feeds, epochs, identities, artifacts, logs, liveness."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelite_hub.model.objects import ADOPT_ANNOTATION, NODES, PODS, get_condition
from edgelite_hub.nodes.logs import LogOptions
from edgelite_hub.nodes.node_status import DIVERGED, READY
from edgelite_protocol import events
from edgelite_protocol import messages as m
from tests.hub.hub_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def condition(world: World, node: str, kind: str) -> tuple[str, str]:
    found = get_condition(world.get(NODES, node)["status"], kind)
    return (found["status"], found["reason"]) if found else ("", "")


def test_a_first_session_gets_a_snapshot_and_then_each_entry(world: World) -> None:
    world.pod("before", "n1")
    node = world.join("n1").connect()
    assert node.welcome[m.WELCOME_MODE] == m.MODE_SNAPSHOT
    assert set(node.workloads()) == {"before"}
    world.pod("after", "n1")
    world.settle()
    assert set(node.workloads()) == {"before", "after"}
    assert world.fleet.applied_revision("n1") == node.revision == 2


def test_a_node_that_was_away_gets_a_delta(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("before", "n1")
    world.settle()
    node.cut()
    world.pod("a", "n1")
    world.pod("b", "n1")
    node.connect()
    assert node.welcome[m.WELCOME_MODE] == m.MODE_DELTA
    assert [event.revision for event in node.events if isinstance(event, events.Entry)] == [2, 3]
    assert set(node.workloads()) == {"before", "a", "b"}


def test_after_compaction_a_snapshot_brings_the_node_up_to_date(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("a", "n1")
    world.settle()
    node.cut()
    for number in range(20):
        world.pod("b", "n1", env=[{"name": "N", "value": str(number)}])
        world.settle()
    world.store.transact(lambda tx: tx.feed_compact("n1", 1))
    node.connect()
    assert node.welcome[m.WELCOME_MODE] == m.MODE_SNAPSHOT
    assert set(node.workloads()) == {"a", "b"}
    assert node.workloads()["b"][m.WORKLOAD_CONTAINERS][0][m.CONTAINER_ENVIRONMENT] == {"N": "19"}


def test_a_large_snapshot_waits_for_the_session_piece_by_piece(world: World) -> None:
    node = world.join("n1")
    for number in range(100):
        world.pod(f"pod-{number}", "n1", env=[{"name": "N", "value": "x" * 500}])
    node.connect()
    assert len(node.workloads()) == 100


def test_an_entry_that_does_not_fit_the_nodes_frame_is_refused_at_the_pod(world: World) -> None:
    world.pod("large", "n1", env=[{"name": "N", "value": "x" * 8000}])
    world.pod("small", "n1")
    world.settle()  # made before anybody knows how little the node takes
    node = world.join("n1").connect()
    world.settle()
    assert set(node.workloads()) == {"small"}
    waiting = world.get(PODS, "large")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "TooLarge"
    assert node.end == ""


def restored_world(world: World, tmp_path: Path) -> World:
    """The same CA and Nodes, and a store as it was before anything happened."""
    old = World(tmp_path / "old")
    old.unix_ms = world.unix_ms
    epoch = world.store.read(lambda tx: tx.get_meta("epoch"))
    node = world.get(NODES, "n1")

    def restore(tx: object) -> None:
        tx.set_meta("epoch", epoch)  # type: ignore[attr-defined]
        tx.create(NODES, "", "n1", node)  # type: ignore[attr-defined]

    old.store.transact(restore)
    return old


def test_a_hub_restored_from_a_backup_takes_a_new_epoch_and_waits_for_adoption(world: World, tmp_path: Path) -> None:
    node = world.join("n1").connect()
    world.pod("running", "n1")
    world.settle()
    node.cut()
    epoch_before = node.epoch
    old = restored_world(world, tmp_path)
    old.pod("other", "n1")
    node.world, old.nodes = old, [node]
    node.connect()
    assert node.welcome[m.WELCOME_MODE] == m.MODE_DIVERGED
    assert node.welcome[m.WELCOME_EPOCH] != epoch_before
    assert set(node.workloads()) == {"running"}, "what runs goes on"
    assert condition(old, "n1", DIVERGED) == ("True", "AwaitingAdoption")

    node.cut()
    node.connect()
    assert node.welcome[m.WELCOME_MODE] == m.MODE_DIVERGED, "a reconnect settles nothing"

    value = old.get(NODES, "n1")
    value["metadata"]["annotations"][ADOPT_ANNOTATION] = "true"
    old.put(NODES, value)
    old.settle()
    assert set(node.workloads()) == {"other"}
    assert condition(old, "n1", DIVERGED) == ("", "")
    assert ADOPT_ANNOTATION not in old.get(NODES, "n1")["metadata"]["annotations"]
    node.cut()
    assert node.connect().welcome[m.WELCOME_MODE] == m.MODE_DELTA


def test_an_adoption_whose_last_word_was_lost_is_spent_by_the_next_hello(world: World, tmp_path: Path) -> None:
    node = world.join("n1").connect()
    world.pod("running", "n1")
    world.settle()
    node.cut()
    old = restored_world(world, tmp_path)
    old.pod("other", "n1")
    node.world, old.nodes = old, [node]
    node.connect()
    value = old.get(NODES, "n1")
    value["metadata"]["annotations"][ADOPT_ANNOTATION] = "true"
    old.put(NODES, value)
    node.loses_applied = True
    old.settle()
    node.cut()
    assert set(node.workloads()) == {"other"} and ADOPT_ANNOTATION in annotations_of(old, "n1")
    assert node.connect().welcome[m.WELCOME_MODE] == m.MODE_DELTA
    assert ADOPT_ANNOTATION not in annotations_of(old, "n1")
    assert condition(old, "n1", DIVERGED) == ("", "")


def test_an_adoption_that_still_waits_survives_a_hello_of_the_other_history(world: World, tmp_path: Path) -> None:
    node = world.join("n1").connect()
    world.pod("running", "n1")
    world.settle()
    node.cut()
    old = restored_world(world, tmp_path)
    node.world, old.nodes = old, [node]
    node.connect()
    node.cut()
    value = old.get(NODES, "n1")
    value["metadata"]["annotations"][ADOPT_ANNOTATION] = "true"
    old.put(NODES, value)
    old.settle()
    node.connect()
    assert node.workloads() == {} and ADOPT_ANNOTATION not in annotations_of(old, "n1")


def test_a_node_that_asks_from_the_beginning_is_not_led_through_what_was(world: World) -> None:
    """As after damage to its journal: what was deleted must not start again, what runs must not run as it once did."""
    node = world.join("n1").connect()
    world.pod("deleted", "n1")
    world.pod("running", "n1")
    world.settle()
    world.delete(PODS, "deleted")
    world.settle()
    revision = node.revision
    node.cut()
    node.revision, node.digest = 0, bytes(8)
    node.connect()
    assert [event for event in node.events if isinstance(event, events.Entry)] == []
    assert set(node.workloads()) == {"running"} and node.revision == revision
    world.pod("later", "n1")
    world.settle()
    assert set(node.workloads()) == {"running", "later"}
    assert [type(event) for event in node.events].count(events.Entry) == 1


def test_a_hello_says_what_is_applied_to_a_hub_that_has_just_started(world: World, tmp_path: Path) -> None:
    node = world.join("n1").connect()
    world.pod("running", "n1")
    world.settle()
    node.cut()
    again = World(tmp_path / "again", world.store)
    node.world, again.nodes = again, [node]
    assert again.fleet.applied_revision("n1") is None
    node.connect()
    assert again.fleet.applied_revision("n1") == node.revision > 0


def annotations_of(world: World, name: str) -> dict[str, str]:
    return dict(world.get(NODES, name)["metadata"]["annotations"])


def test_adoption_of_another_epoch_than_the_one_offered_does_nothing(world: World, tmp_path: Path) -> None:
    node = world.join("n1").connect()
    world.pod("running", "n1")
    world.settle()
    node.cut()
    old = restored_world(world, tmp_path)
    node.world, old.nodes = old, [node]
    node.connect()
    value = old.get(NODES, "n1")
    value["metadata"]["annotations"][ADOPT_ANNOTATION] = "00" * 8
    old.put(NODES, value)
    old.settle()
    assert set(node.workloads()) == {"running"}
    assert condition(old, "n1", DIVERGED)[0] == "True"


def test_acknowledgements_that_a_restored_hub_lost_are_named_as_gaps(world: World) -> None:
    node = world.join("n1")
    node.stored = [[m.LANE_TELEMETRY, 1, 41]]
    node.connect()
    assert node.welcome[m.WELCOME_GAPS] == [[m.LANE_TELEMETRY, 0, 0, 1, 41]]
    assert any("lost with an older store" in line for line in world.log)


# ---- identity


def test_a_newer_session_supersedes_the_one_before(world: World) -> None:
    first = world.join("n1").connect()
    earlier_session, earlier_connection = first.session, first.connection
    first.connect()
    assert first.end == ""
    assert earlier_session is not None and earlier_connection is not None
    assert earlier_connection.next_work(world.now_ms) is None
    assert earlier_connection.ended is not None and earlier_connection.ended.code == "superseded"
    assert world.fleet.connected() == ["n1"]
    assert condition(world, "n1", READY)[0] == "True"


def test_a_restored_card_takes_a_new_journal_id_and_its_original_is_fenced(world: World) -> None:
    node = world.join("n1")
    node.generation = 5
    node.connect()
    node.cut()
    copy = world.join("n1", token=world.token(nodeNamePattern="n1"))
    copy.certificate, copy.journal, copy.generation = node.certificate, node.journal, 3
    world.store.transact(lambda tx: tx.set_meta("certificates/n1", None))
    copy.connect()
    assert copy.welcome.get(m.WELCOME_NEW_JOURNAL) is True
    copy.cut()
    node.connect()
    assert node.end == "identity_cloned"


def test_two_nodes_with_one_identity_and_journals_of_their_own(world: World) -> None:
    first = world.join("n1").connect()
    second = world.join("n1", token=world.token(nodeNamePattern="n1"))
    world.store.transact(lambda tx: tx.set_meta("certificates/n1", None))
    second.certificate = first.certificate
    second.connect()
    assert second.end == ""
    first.connect()
    assert first.end == "identity_cloned"


def test_an_expired_certificate_may_renew_and_nothing_else(world: World) -> None:
    node = world.join("n1")
    world.unix_ms += world.environment.settings.certificate_lifetime_ms + 1
    node.connect()
    assert node.end == "certificate_expired"


def test_renewal_is_wanted_after_two_thirds_and_works_in_a_session(world: World) -> None:
    lifetime_ms = world.environment.settings.certificate_lifetime_ms
    node = world.join("n1")
    world.unix_ms += lifetime_ms // 2
    assert m.WELCOME_RENEW not in node.connect().welcome
    node.cut()
    world.unix_ms += lifetime_ms // 5
    assert node.connect().welcome[m.WELCOME_RENEW] is True
    assert node.session is not None
    node.session.renew()
    world.settle()
    renewed = [event for event in node.events if isinstance(event, events.Renewed)]
    before, node.certificate = node.identity, renewed[0].certificate
    assert node.identity.not_after_ms > before.not_after_ms
    node.cut()
    assert m.WELCOME_RENEW not in node.connect().welcome


def test_a_session_that_never_breaks_does_not_outlive_its_certificate(world: World) -> None:
    """Renewal is asked for by a welcome, so a link that is never cut needs a new session when it becomes due."""
    lifetime_ms = world.environment.settings.certificate_lifetime_ms
    node = world.join("n1").connect()
    begun_ms = world.unix_ms
    while not node.end:
        world.advance(200_000)
        assert world.unix_ms - begun_ms < lifetime_ms, "it ends before the certificate"
    assert node.end == "renewal_due"
    assert world.unix_ms >= node.identity.renewal_ms
    assert node.connect().welcome[m.WELCOME_RENEW] is True
    world.advance(200_000)
    assert node.end == "", "it has been asked, and may stay while the certificate lasts"
    while not node.end:
        world.advance(200_000)
    assert node.end == "renewal_due"
    assert node.identity.is_expired(world.unix_ms)


def test_deleting_a_node_ends_its_session_and_revokes_its_certificates(world: World) -> None:
    node = world.join("n1").connect()
    world.delete(NODES, "n1")
    world.settle()
    assert node.end == "node_revoked"
    assert node.connect().end == "node_revoked"
    again = world.join("n1")
    assert again.connect().end == ""
    assert node.connect().end == "node_revoked", "the certificate from before the deletion stays revoked"


def test_a_certificate_for_another_node_is_refused(world: World) -> None:
    node, other = world.join("n1"), world.join("n2")
    assert node.connect(identity=other.identity).end == "wrong_node"


# ---- artifacts and logs


def fetch(world: World, node: object, digest: str, offset: int = 0) -> tuple[bytes, str]:
    node.session.open_artifact(bytes.fromhex(digest), offset)  # type: ignore[attr-defined]
    world.settle()
    taken = node.events  # type: ignore[attr-defined]
    data = b"".join(event.data for event in taken if isinstance(event, events.ArtifactData))
    codes = [event.code for event in taken if isinstance(event, events.StreamClosed)]
    return data, codes[-1]


def test_an_artifact_is_resumed_from_an_offset(world: World) -> None:
    data = bytes(range(256)) * 400
    digest = world.push("app", "v1", data)
    world.pod("user", "n1", image="app:v1")
    node = world.join("n1").connect()
    assert fetch(world, node, digest) == (data, "")
    node.events.clear()
    assert fetch(world, node, digest, 100_000) == (data[100_000:], "")
    assert fetch(world, node, digest, len(data) + 1)[1] == "bad_offset"


def test_a_node_gets_no_artifact_that_its_pods_do_not_name(world: World) -> None:
    digest = world.push("secret-app", "v1", b"secret" * 100)
    world.pod("user", "n2", image="secret-app:v1")
    node = world.join("n1").connect()
    assert fetch(world, node, digest) == (b"", "not_found")


def test_a_log_follows_the_readers_pace_and_ends_with_the_session(world: World) -> None:
    node = world.join("n1").connect()
    assert node.connection is not None and node.session is not None
    stream = node.connection.open_log("uid-1", LogOptions("main", tail_lines=5, follow=True))
    world.settle()
    request = next(event for event in node.events if isinstance(event, events.LogRequest))
    assert (request.uid, request.container, request.tail_lines, request.follow) == ("uid-1", "main", 5, True)
    sent = 0
    for _ in range(200):
        room = node.session.can_send_bulk(request.stream)
        if room:
            node.session.log_data(request.stream, b"x" * room)
            sent += room
        world.settle()
    assert sent < 128 * 1024, "nobody reads, so the node is held back"
    received = len(stream.take())
    world.settle()
    assert node.session.can_send_bulk(request.stream) > 0, "and goes on when somebody does"
    assert received == sent
    node.cut()
    assert stream.ended == ("link_lost", "the node's session ended")


# ---- liveness


def test_a_node_has_forty_seconds_to_come_back(world: World) -> None:
    node = world.join("n1").connect()
    pod = world.pod("stays", "n1")
    node.cut()
    world.advance(39_000)
    assert condition(world, "n1", READY) == ("True", "SessionOpen")
    world.advance(2_000)
    assert condition(world, "n1", READY) == ("Unknown", "NodeUnreachable")
    assert world.get(PODS, "stays")["metadata"]["uid"] == pod["metadata"]["uid"], "nothing is evicted"
    assert "deletionTimestamp" not in world.get(PODS, "stays")["metadata"]
    node.connect()
    assert condition(world, "n1", READY) == ("True", "SessionOpen")


def test_a_silent_session_is_noticed(world: World) -> None:
    node = world.join("n1").connect()
    node.session = None  # the node hangs; the link stays open
    connection = node.connection
    assert connection is not None
    world.unix_ms += 601_000
    connection.step(world.now_ms)
    assert connection.next_work(world.now_ms) is None
    world.settle()
    assert condition(world, "n1", READY) == ("Unknown", "NodeUnreachable")


def test_pings_write_nothing(world: World) -> None:
    world.join("n1").connect()
    revision = world.store.revision()
    for _ in range(20):
        world.advance(100_000)
    assert world.store.revision() == revision
