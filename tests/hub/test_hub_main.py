"""`edgelite hub` as a process: what a first start makes, what stops it, and what survives kill -9."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite_protocol import events
from edgelite_protocol import messages as m
from tests.hub.hub_process import HubProcess, Peer, TlsNode, wait_for


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    made = HubProcess(tmp_path)
    yield made
    made.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_start_makes_everything_for_its_owner_alone_and_says_what_is_next(hub: HubProcess) -> None:
    hub.start()
    assert mode(hub.data) == 0o700
    for name in ("kubeconfig", "hub.json", "hub.sqlite", "pki/ca.key", "pki/hub.key"):
        assert mode(hub.data / name) == 0o600, name
    wait_for(lambda: "edgelite hub is ready" in hub.log)
    wait_for(lambda: "edgelite token create" in hub.log and "edgelite join" in hub.log)
    assert hub.process is not None and hub.facts["pid"] == hub.process.pid
    assert hub.end() == 0


def test_a_second_start_keeps_ca_credential_and_objects(hub: HubProcess) -> None:
    hub.start()
    token, fingerprint = hub.token, hub.facts["caSha256"]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}
    assert hub.request("POST", "/api/v1/namespaces/default/configmaps", body)[0] == 201
    hub.kill()
    hub.start()
    assert (hub.token, hub.facts["caSha256"]) == (token, fingerprint)
    assert hub.request("GET", "/api/v1/namespaces/default/configmaps/kept")[1]["data"] == {"a": "b"}


def test_a_lost_kubeconfig_is_made_anew_and_the_old_token_counts_no_more(hub: HubProcess) -> None:
    hub.start()
    old = hub.token
    hub.end()
    (hub.data / "kubeconfig").unlink()
    hub.start()
    assert hub.token != old
    assert hub.request("GET", "/api/v1/nodes")[0] == 200
    assert hub.request("GET", "/api/v1/nodes", token=old)[0] == 401


def test_nothing_is_served_without_the_credential(hub: HubProcess) -> None:
    hub.start()
    paths = ("/api/v1/nodes", "/apis/edgelite.dev/v1/jointokens", "/api/v1/namespaces/default/pods/p/log")
    for token in ("", "x", "0" * 64, "\u00e4"):
        for path in paths:
            code, status = hub.request("GET", path, token=token)
            assert (code, status["reason"]) == (401, "Unauthorized"), (path, token)


def refusal(hub: HubProcess, *options: str) -> str:
    hub.options = options
    hub.launch()
    assert hub.process is not None
    assert hub.process.wait(20) != 0
    hub.process = None
    return hub.log


def test_a_port_in_use_is_named(hub: HubProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert where in refusal(hub, "--nodes", where)
        assert where in refusal(hub, "--api", where)


def test_two_hubs_on_one_directory_are_refused(hub: HubProcess) -> None:
    hub.start()
    command = [sys.executable, "-m", "edgelite_hub.main", "--data", str(hub.data), "--api", "127.0.0.1:0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    again = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment, check=False)
    assert again.returncode != 0
    assert "Traceback" not in again.stderr and "hub.sqlite" in again.stderr


@pytest.mark.parametrize("name", ["hub.sqlite", "pki/ca.key"])
def test_a_damaged_file_is_named_and_nothing_is_made_anew(hub: HubProcess, name: str) -> None:
    hub.start()
    hub.end()
    (hub.data / name).write_bytes(b"garbage" * 1000)
    log = refusal(hub)
    assert Path(name).name in log and "Traceback" not in log
    assert (hub.data / name).read_bytes() == b"garbage" * 1000


def test_readiness_and_the_end_are_told_to_the_service_manager(hub: HubProcess, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(15)
        hub.environment = {"NOTIFY_SOCKET": path}
        hub.start()
        assert manager.recv(100) == b"READY=1"
        assert hub.end() == 0
        assert manager.recv(100) == b"STOPPING=1"


def test_a_client_that_reads_nothing_does_not_hold_up_the_end(hub: HubProcess) -> None:
    hub.start()
    host, port = hub.facts["api"].split(":")
    context = ssl.create_default_context(cafile=str(hub.data / "pki" / "ca.crt"))
    with context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=host):
        began = time.monotonic()
        assert hub.end() == 0
        assert time.monotonic() - began < 10, "TLS itself would wait for half a minute"


def test_idle_clients_watches_logs_uploads_and_nodes_do_not_hold_up_the_end(hub: HubProcess, tmp_path: Path) -> None:
    hub.start()
    node = TlsNode(hub, tmp_path, "n1").join(hub.join_token())
    hub.create_pod("p", "n1")
    peer = node.connect()
    peer.until(events.Welcomed)
    context = ssl.create_default_context(cafile=str(hub.data / "pki" / "ca.crt"))
    clients = []
    for path in ("nodes", "pods?watch=true", "namespaces/default/pods/p/log?follow=true"):
        client = http.client.HTTPSConnection(hub.facts["api"], context=context, timeout=5)
        client.request("GET", f"/api/v1/{path}", headers={"Authorization": "Bearer " + hub.token})
        clients.append(client)
    clients[0].getresponse().read()
    peer.until(events.LogRequest)
    upload = http.client.HTTPSConnection(hub.facts["api"], context=context, timeout=5)
    upload.putrequest("PUT", "/apis/edgelite.dev/v1/artifacts/app")
    upload.putheader("Authorization", "Bearer " + hub.token)
    upload.putheader("Content-Length", "1000")
    upload.endheaders(b"a beginning")
    wait_for(lambda: any(path.is_file() for path in (hub.data / "artifacts").rglob("*")))
    before = len(hub.log)
    began = time.monotonic()
    assert hub.end() == 0
    assert time.monotonic() - began < 1.5, "0.5 s where the machine has nothing else to do"
    assert [line[21:] for line in hub.log[before:].splitlines()] == [
        "node n1: session ended (hub_stopping: the hub is stopping: come back soon)"
    ]


@pytest.mark.parametrize(
    "arguments", [["--api", "nonsense"], ["--nodes", "host:99999"], ["--certificate-days", "0"], ["surplus"]]
)
def test_wrong_arguments_are_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from edgelite_hub.options import parse

    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_restored_store_lifts_its_revision_above_all_that_clients_saw(hub: HubProcess) -> None:
    hub.start()
    before = int(hub.request("GET", "/api/v1/nodes")[1]["metadata"]["resourceVersion"])
    hub.end()
    hub.options = ("--restored",)
    hub.start()
    after = int(hub.request("GET", "/api/v1/nodes")[1]["metadata"]["resourceVersion"])
    assert after > before + 1_000_000


# ---- what the API serves of nodes


def test_artifacts_are_pushed_and_logs_and_telemetry_are_asked_for(hub: HubProcess, tmp_path: Path) -> None:
    hub.start()
    path = "/apis/edgelite.dev/v1/artifacts/app?tag=v1"
    code, artifact = hub.request("PUT", path, b"x" * 3_000_000, kind="application/x-tar")
    assert code == 200 and artifact["status"]["sizeBytes"] == 3_000_000
    assert hub.request("PUT", "/apis/edgelite.dev/v1/artifacts/App", b"x")[0] == 400
    assert hub.request("PUT", "/apis/edgelite.dev/v1/artifacts/app", b"")[0] == 400

    node = TlsNode(hub, tmp_path, "n1").join(hub.join_token())
    hub.create_pod("p", "n1")
    log = "/api/v1/namespaces/default/pods/p/log"
    code, status = hub.request("GET", log)
    assert code == 503 and "n1" in status["message"]
    assert hub.request("GET", log + "?container=none")[0] == 400
    assert hub.request("GET", log.replace("/p/", "/none/"))[0] == 404
    hub.create_device("d", "n1")
    telemetry = "/apis/edgelite.dev/v1/namespaces/default/devices/d/telemetry"
    assert hub.request("GET", telemetry)[1]["items"] == []
    assert hub.request("GET", telemetry.replace("/d/", "/none/"))[0] == 404
    for query in ("since=yesterday", "limit=0", "limit=99999", "continue=x"):
        assert hub.request("GET", f"{telemetry}?{query}")[0] == 400, query
    assert node.name == "n1"


def test_a_log_flows_from_node_to_client(hub: HubProcess, tmp_path: Path) -> None:
    hub.start()
    node = TlsNode(hub, tmp_path, "n1").join(hub.join_token())
    hub.create_pod("p", "n1")
    peer = node.connect()
    peer.until(events.Welcomed)
    answers: list[tuple[int, Any]] = []
    path = "/api/v1/namespaces/default/pods/p/log?tailLines=7"
    client = threading.Thread(target=lambda: answers.append(hub.request("GET", path)))
    client.start()
    request = peer.until(events.LogRequest)
    assert (request.container, request.tail_lines) == ("main", 7)
    sent = b""
    while len(sent) < 200_000:
        room = peer.session.can_send_bulk(request.stream)
        if room:
            piece = os.urandom(room // 2).hex().encode()
            peer.session.log_data(request.stream, piece)
            sent += piece
        peer.exchange()
    peer.session.close_stream(request.stream, "", "")
    while client.is_alive():
        peer.exchange()
    client.join(10)
    assert answers == [(200, sent)]
    peer.close()


def test_a_client_that_leaves_a_followed_log_frees_the_nodes_stream(hub: HubProcess, tmp_path: Path) -> None:
    hub.start()
    node = TlsNode(hub, tmp_path, "n1").join(hub.join_token())
    hub.create_pod("p", "n1")
    peer = node.connect()
    peer.until(events.Welcomed)
    host, port = hub.facts["api"].split(":")
    context = ssl.create_default_context(cafile=str(hub.data / "pki" / "ca.crt"))
    asked = f"GET /api/v1/namespaces/default/pods/p/log?follow=true HTTP/1.1\r\nHost: {host}\r\n"
    for _ in range(6):  # a session has room for four
        with context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=host) as client:
            client.sendall(f"{asked}Authorization: Bearer {hub.token}\r\n\r\n".encode())
            peer.until(events.LogRequest)
        closed = peer.until(events.StreamClosed)
        assert closed.code == "cancelled"
        peer.events.clear()
    peer.close()


# ---- exactly once


class Outbox:
    """A node's telemetry lane: numbered samples, kept until they are acknowledged, sent again after each cut."""

    def __init__(self, node: TlsNode, count: int) -> None:
        self.node = node
        self.count = count
        self.acknowledged = 0

    def run_until(self, goal: int) -> None:
        """Report until that many are acknowledged."""
        peer = self._connected()
        sent = self.acknowledged
        while self.acknowledged < goal:
            while sent < self.count and peer.session.can_report(m.LANE_TELEMETRY):
                last = min(sent + 10, self.count)
                peer.session.send_reports(m.LANE_TELEMETRY, 1, [self._item(n) for n in range(sent + 1, last + 1)])
                sent = last
            peer.exchange()
            for event in peer.events:
                if isinstance(event, events.Acknowledged):
                    self.acknowledged = max(self.acknowledged, event.sequence)
            peer.events.clear()
        peer.close()

    def _connected(self) -> Peer:
        def attempt() -> Peer | None:
            try:
                peer = self.node.connect()
                peer.until(events.Welcomed)
            except OSError:
                return None
            return peer

        peer: Peer = wait_for(attempt)
        return peer

    def _item(self, sequence: int) -> tuple[int, dict[int, Any]]:
        body = {
            m.REPORT: m.REPORT_TELEMETRY,
            m.TELEMETRY_DEVICE: "default/d",
            m.TELEMETRY_TIME: [1_790_000_000_000 + sequence, m.TIME_UNIX],
            m.TELEMETRY_VALUES: {"count": sequence},
        }
        return sequence, body


def test_reports_reach_the_store_exactly_once_across_kill_9(hub: HubProcess, tmp_path: Path) -> None:
    """The hub is killed with batches on their way, at three places; what was acknowledged is there once, and so is
    what had to be sent again."""
    hub.options = ("--telemetry-days", "3650")
    hub.start()
    outbox = Outbox(TlsNode(hub, tmp_path, "n1").join(hub.join_token()), 600)
    hub.create_device("d", "n1")
    for goal in (60, 240, 470):
        outbox.run_until(goal)
        hub.kill()
        hub.start()
    outbox.run_until(600)
    path = "/apis/edgelite.dev/v1/namespaces/default/devices/d/telemetry?limit=10000"
    code, answer = hub.request("GET", path)
    assert code == 200
    assert [item["value"] for item in answer["items"]] == list(range(1, 601))
