"""A real API on loopback for tests: the application, uvicorn in a thread, and a small client that knows one token."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from edgelite_hub.api.app import create_app
from edgelite_hub.kinds import default_registry
from edgelite_hub.model.registry import Registry
from edgelite_hub.security.authz import ADMIN, ANONYMOUS, Subject
from edgelite_hub.store.contract import Store
from edgelite_hub.store.memory import MemoryStore
from edgelite_hub.store.writer import Writer

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
SETS = "/apis/apps/v1/namespaces/default/daemonsets"
NODES = "/api/v1/nodes"

TOKEN = "an-administrators-token"


@dataclass
class TestHub:
    """Knows bearer tokens by a plain table, and a clock that a test may set."""

    __test__ = False

    store: Store
    writer: Writer
    subjects: dict[str, Subject] = field(default_factory=lambda: {TOKEN: Subject(ADMIN, "admin")})
    offset_ms: int = 0
    registry: Registry = field(default_factory=default_registry)
    is_ready: bool = True

    def authenticate(self, authorization_header: str | None) -> Subject:
        scheme, _, token = (authorization_header or "").partition(" ")
        return self.subjects.get(token, Subject(ANONYMOUS)) if scheme == "Bearer" else Subject(ANONYMOUS)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(field, reason) of each cause of a Status."""
        rows = self.json.get("details", {}).get("causes", [])
        return [(row.get("field", ""), row.get("reason", "")) for row in rows]


@dataclass
class Api:
    port: int
    hub: TestHub
    app: Starlette
    token: str | None = TOKEN

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        with self.open(method, path, body, **headers) as response:
            return Answer(response.status, dict(response.headers.items()), response.read().decode())

    @contextmanager
    def open(self, method: str, path: str, body: Any = None, **headers: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            named.setdefault("Authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, named)
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("POST", path, body, **{"Content_Type": "application/json", **headers})

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body, Content_Type="application/json")

    def patch(self, path: str, body: Any, kind: str = "merge-patch") -> Answer:
        return self.request("PATCH", path, body, Content_Type=f"application/{kind}+json")

    def delete(self, path: str, body: Any = None) -> Answer:
        return self.request("DELETE", path, body, **({} if body is None else {"Content_Type": "application/json"}))

    @contextmanager
    def watch(self, path: str) -> Iterator[Events]:
        with self.open("GET", path) as response:
            assert response.status == 200, response.read()
            yield Events(response)


@dataclass
class Events:
    response: http.client.HTTPResponse

    def next(self) -> tuple[str, Any]:
        event = json.loads(self.response.readline())
        return event["type"], event["object"]

    def names(self, count: int) -> list[tuple[str, str]]:
        events = [self.next() for _ in range(count)]
        return [(kind, value["metadata"].get("name", "")) for kind, value in events]

    def ended(self) -> bool:
        return self.response.readline() == b""


@contextmanager
def serving(
    store: Store | None = None,
    tls: tuple[Path, Path] | None = None,
    extra_routes: Any = (),
    registry: Registry | None = None,
) -> Iterator[Api]:
    """One server in a thread of its own, with its own event loop; ends when the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    started: list[tuple[uvicorn.Server, Api]] = []
    ready = threading.Event()

    async def main() -> None:
        used = store if store is not None else MemoryStore()
        writer = Writer(used)
        hub = TestHub(used, writer, registry=registry if registry is not None else default_registry())
        app = create_app(hub, extra_routes)
        config = uvicorn.Config(app, log_level="error", lifespan="off", http="h11", loop="asyncio", ws="none")
        config.timeout_graceful_shutdown = 1  # a client's idle TLS connections would hold it for 30 s
        if tls is not None:
            config.ssl_certfile, config.ssl_keyfile = tls
        server = uvicorn.Server(config)
        started.append((server, Api(listener.getsockname()[1], hub, app)))
        ready.set()
        await server.serve([listener])
        await writer.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    server, api = started[0]
    try:
        yield api
    finally:
        api.app.state.watches.close()
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "host", "command": ["/bin/true"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"runtimeClassName": "process", "containers": [container], **spec},
    }


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def node(name: str = "n1") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}


def names(answer: Any) -> list[str]:
    assert answer.code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json["items"]]


def bound_pod(api: Api, name: str = "a", **spec: Any) -> dict[str, Any]:
    """A Pod on a node that is there."""
    api.post(NODES, node())
    answer = api.post(PODS, pod(name, nodeName="n1", **spec))
    assert answer.code == 201, answer.text
    created: dict[str, Any] = answer.json
    return created
