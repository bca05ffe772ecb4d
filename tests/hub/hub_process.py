"""A real hub process, and nodes that speak to it over real TLS: blocking sockets around the real session machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_der_x509_certificate

from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.join_session import JoinClient
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession
from tests.hub.hub_world import make_csr, make_key

TIMEOUT_S = 15.0
ROOT = Path(__file__).resolve().parents[2]


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class HubProcess:
    def __init__(self, folder: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.data = folder / "hub"
        self.log_path = folder / "hub.log"
        self.options = options
        self.environment = environment or {}
        self.nodes_port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> HubProcess:
        facts_path = self.data / "hub.json"
        facts_path.unlink(missing_ok=True)
        self.launch()
        self.facts = wait_for(lambda: facts_path.exists() and json.loads(facts_path.read_text() or "null"), self)
        self.nodes_port = int(self.facts["nodes"].rpartition(":")[2])
        self.config = json.loads((self.data / "kubeconfig").read_text())
        return self

    def launch(self) -> None:
        rooms = [ROOT, *(ROOT / name for name in ("protocol", "hub", "drivers", "ports", "cli"))]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, rooms)), **self.environment}
        # The port of before, so that nodes find the hub again.
        where = ["--data", str(self.data), "--api", "127.0.0.1:0", "--nodes", f"127.0.0.1:{self.nodes_port}"]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edgelite_hub.main", *where, *self.options],
                stdout=log, stderr=log, env=environment,
            )  # fmt: skip

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT_S)
        self.process = None
        return code

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def token(self) -> str:
        return str(self.config["users"][0]["user"]["token"])

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"https://{self.facts['api']}{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {self.token if token is None else token}")
        request.add_header("Content-Type", kind)
        context = ssl.create_default_context(cafile=str(self.data / "pki" / "ca.crt"))
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
                return answer.status, parsed(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, parsed(error.read())

    def join_token(self, **spec: Any) -> str:
        value = {"apiVersion": "edgelite.dev/v1", "kind": "JoinToken", "metadata": {"generateName": "t-"}, "spec": spec}
        code, made = self.request("POST", "/apis/edgelite.dev/v1/jointokens", value)
        assert code == 201, made
        return str(made["status"]["token"])

    def create_pod(self, name: str, node: str) -> None:
        container = {"name": "main", "image": "host", "command": ["/bin/true"]}
        spec = {"nodeName": node, "runtimeClassName": "process", "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        code, made = self.request("POST", "/api/v1/namespaces/default/pods", pod)
        assert code == 201, made

    def create_device(self, name: str, node: str) -> None:
        group = "/apis/devices.kubeedge.io/v1beta1/namespaces/default"
        item = {"name": "count", "type": "INT", "accessMode": "ReadOnly"}
        api = {"apiVersion": "devices.kubeedge.io/v1beta1"}
        model = {**api, "kind": "DeviceModel", "metadata": {"name": "counter"}, "spec": {"properties": [item]}}
        visitors = {"protocolName": "modbus", "configData": {"register": "HoldingRegister", "offset": 0, "limit": 1}}
        spec = {
            "deviceModelRef": {"name": "counter"},
            "nodeName": node,
            "protocol": {"protocolName": "modbus", "configData": {"ip": "127.0.0.1", "port": 5020}},
            "properties": [{"name": "count", "visitors": visitors}],
        }
        device = {**api, "kind": "Device", "metadata": {"name": name}, "spec": spec}
        for plural, value in (("devicemodels", model), ("devices", device)):
            code, made = self.request("POST", f"{group}/{plural}", value)
            assert code == 201, made


class Peer:
    """One TLS connection and the session on it."""

    def __init__(self, port: int, context: ssl.SSLContext, session: Any) -> None:
        raw = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket = context.wrap_socket(raw, server_hostname="edgelite-hub")
        self.socket.settimeout(0.02)
        self.session = session
        self.events: list[Any] = []

    def exchange(self) -> None:
        """Send what there is, receive what comes, for a moment."""
        while data := self.session.data_to_send(1 << 16):
            self.socket.sendall(data)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            data = None
        except (ConnectionError, ssl.SSLError):
            data = b""
        if data:
            self.session.receive(data, now_ms())
        elif data == b"":
            self.session.receive_eof(now_ms())
        while (event := self.session.next_event()) is not None:
            self.events.append(event)

    def until(self, kind: type) -> Any:
        """The first event of a kind, from now on."""

        def found() -> Any:
            self.exchange()
            return next((event for event in self.events if isinstance(event, kind)), None)

        return wait_for(found)

    def ended(self) -> str:
        return str(self.until(events.Ended).code)

    def close(self) -> None:
        self.socket.close()


class TlsNode:
    """A node's identity and journal on disk."""

    def __init__(self, hub: HubProcess, folder: Path, name: str) -> None:
        self.hub, self.name = hub, name
        self.key = make_key()
        self.key_path, self.certificate_path = folder / f"{name}.key", folder / f"{name}.crt"
        pem = serialization.Encoding.PEM
        private = self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.key_path.write_bytes(private)
        self.journal, self.generation, self.instance = os.urandom(8), 1, os.urandom(8)
        self.boot_id = os.urandom(16)

    def join(self, token: str) -> TlsNode:
        peer = self.try_join(token)
        joined = peer.until(events.Joined)
        self.keep(joined.certificate)
        peer.close()
        return self

    def try_join(self, token: str) -> Peer:
        client = JoinClient(Limits(), now_ms())
        peer = Peer(self.hub.nodes_port, self.context(False), client)
        client.join(".".join(token.split(".")[1:3]), self.name, make_csr(self.key))
        return peer

    def keep(self, certificate: bytes) -> None:
        self.certificate_path.write_bytes(
            load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM)
        )

    def context(self, with_certificate: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.hub.data / "pki" / "ca.crt")
        if with_certificate:
            context.load_cert_chain(self.certificate_path, self.key_path)
        return context

    def hello(self) -> dict[int, Any]:
        return {
            m.HELLO_NODE: self.name,
            m.HELLO_BOOT_ID: self.boot_id,
            m.HELLO_JOURNAL_ID: self.journal,
            m.HELLO_GENERATION: self.generation,
            m.HELLO_INSTANCE: self.instance,
            m.HELLO_MONOTONIC_MS: now_ms(),
            m.HELLO_REVISION: 0,
            m.HELLO_CAPABILITIES: {"architecture": "x86_64", "os": "linux", "runtime": "cpython 3.11"},
            m.HELLO_ACKNOWLEDGED: [],
        }

    def connect(self, with_certificate: bool = True) -> Peer:
        session = NodeSession(self.hello(), Limits(), now_ms())
        return Peer(self.hub.nodes_port, self.context(with_certificate), session)


def wait_for(probe: Callable[[], Any], hub: HubProcess | None = None) -> Any:
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time" + (": " + hub.log if hub else ""))
        if hub is not None and hub.process is not None and hub.process.poll() is not None:
            raise AssertionError("the hub ended: " + hub.log)
        time.sleep(0.01)
    return found


def parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data
