"""The hub put together: store, CA, fleet, controllers, node port, API.

What the API app uses of it:

    registry, store, writer              the kinds, and where their objects are
    unix_ms(), random_bytes(count)       the clock and the randomness of everything
    authenticate(authorization)          the Subject of an Authorization header, ANONYMOUS included
    put_artifact(name, tag, pieces)      for PUT .../artifacts/{name}
    open_pod_log(pod, options)           for GET .../pods/{name}/log; NodeUnreachable
    telemetry(query)                     for GET .../devices/{name}/telemetry; telemetry.InvalidQuery
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from edgelite_hub import artifacts, hooks, telemetry
from edgelite_hub.artifacts import ArtifactFiles, ArtifactRefused, Upload
from edgelite_hub.background import Background, Source
from edgelite_hub.background_loop import BackgroundLoop, monotonic_ms
from edgelite_hub.compiler.artifact_names import is_tag
from edgelite_hub.controllers.rounds import Rounds
from edgelite_hub.environment import Environment
from edgelite_hub.kinds import default_registry
from edgelite_hub.maintenance import Maintenance
from edgelite_hub.model.objects import (
    Object,
    is_object_name,
    node_of,
    rfc3339,
    uid_of,
)
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.logs import LogOptions, LogStream
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.nodes.node_server import NodeServer
from edgelite_hub.security import admin, key_box, oscore_keys, tokens
from edgelite_hub.security.authz import ADMIN, ANONYMOUS, Subject
from edgelite_hub.security.ca import load_or_create_authority
from edgelite_hub.settings import Settings
from edgelite_hub.start import make_dispatcher, prepare, ready_nodes
from edgelite_hub.store.contract import Store, Transaction
from edgelite_hub.store.writer import Writer
from edgelite_protocol.errors import EdgeliteError

TOKEN_EXPIRY_S = 30.0


class NodeUnreachable(EdgeliteError):
    """`text` names the node and since when."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Hub:
    def __init__(self, settings: Settings, store: Store, log: Callable[[str], None]) -> None:
        """Makes the CA where there is none; nothing runs yet."""
        self.settings = settings
        self.store = store
        self.log = log
        self.authority = load_or_create_authority(settings.pki_directory)
        self.registry = default_registry()
        self.environment = Environment(
            *(settings, self.authority, self.unix_ms, self.random_bytes, log, self.registry),
            key_box.load_or_create(settings.pki_directory),
        )
        hooks.install(self.registry, self.environment)
        self.artifacts = ArtifactFiles(
            settings.artifacts_directory, settings.artifact_size_bytes_max, self.random_bytes
        )
        self.fleet = Fleet(self.environment, self.artifacts, self._wake)
        self.is_ready = False
        self._started_ms = self.unix_ms()
        self._admin_hash = b""
        self._tasks: list[asyncio.Task[None]] = []

    # ---- the environment

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        return self.unix_ms()

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    # ---- life

    async def start(self, node_server: Callable[[Hub], NodeServer]) -> int:
        """Run everything but the API; the nodes' port."""
        self.writer = Writer(self.store)
        await self.writer.transact(partial(prepare, self.random_bytes))
        self._admin_hash = await self.writer.read(_admin_hash)
        self.fleet.expect(await self.writer.read(ready_nodes), monotonic_ms())
        self.node_server = node_server(self)
        self._run_in_background()  # before the first node comes
        port = await self.node_server.start()
        self.is_ready = True
        return port

    def _run_in_background(self) -> None:
        rounds = Rounds(make_dispatcher(self.environment), self.store, self.fleet.notified, self.log)
        maintenance = Maintenance(self.settings, self.artifacts, self.unix_ms, self.log)
        self._fleet_loop = self._loop("nodes", self.fleet)
        controllers = self._loop("controllers", rounds)
        loops = (controllers, self._fleet_loop, self._loop("maintenance", maintenance))
        self._tasks = [asyncio.create_task(one) for one in (*(loop.run() for loop in loops), self._run_token_expiry())]
        loop = asyncio.get_running_loop()

        def committed() -> None:
            rounds.committed()
            controllers.wake()

        def notify(revision: int) -> None:
            loop.call_soon_threadsafe(committed)

        self._unsubscribe = self.store.subscribe(notify)

    def _loop(self, what: str, source: Source) -> BackgroundLoop:
        return BackgroundLoop(Background(what, source, self.log), self.writer)

    async def dismiss_nodes(self) -> None:
        """Say goodbye to the nodes. Logs that people follow end with the sessions that carry them."""
        self.is_ready = False
        await self.node_server.stop()

    async def stop(self) -> None:
        await self.dismiss_nodes()
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.close()

    async def failed(self) -> BaseException | None:
        """Waits until one of the hub's own loops ends, which none does while all is well; why it did."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        return None if task.cancelled() else task.exception()

    async def ensure_kubeconfig(self, server: str) -> None:
        """Write the administrator's kubeconfig. Its token stays while the file has the one that counts; a lost file is
        made anew with a fresh token, and the old one counts no more."""
        path = self.settings.kubeconfig_path
        token = admin.read_kubeconfig_token(path)
        if token is None or not admin.is_admin("Bearer " + token, self._admin_hash or b""):
            token = await self._renew_admin_token()
        admin.write_kubeconfig(path, server, self.authority.pem, token)

    async def _renew_admin_token(self) -> str:
        token = admin.make_token(self.random_bytes)
        await self.writer.transact(lambda transaction: admin.keep_token(transaction, token))
        self._admin_hash = await self.writer.read(_admin_hash)
        return token

    # ---- for the API

    def authenticate(self, authorization: str | None) -> Subject:
        if self._admin_hash and admin.is_admin(authorization, self._admin_hash):
            return Subject(ADMIN, "admin")
        return Subject(ANONYMOUS)

    async def provision(self, node: str) -> dict[str, str]:
        """OSCORE keys for a node behind a gateway, and its Node where there is none; see oscore_keys.py."""
        keys = await self.writer.transact(partial(oscore_keys.provision, environment=self.environment, name=node))
        self.fleet.provisioned(node, monotonic_ms())
        self.log(f"node {node}: provisioned with OSCORE keys, earlier ones count no more")
        return keys

    async def put_artifact(self, name: str, tag: str, pieces: AsyncIterator[bytes]) -> Object:
        """Store the bytes, then let `tag` of the Artifact `name` mean them; the Artifact as stored. ArtifactRefused
        with the reasons "InvalidName", "InvalidTag", "TooLarge", "Empty"."""
        if not is_object_name(name):
            raise ArtifactRefused("InvalidName", "a name has lower-case letters, digits, '-' and '.'")
        if not is_tag(tag):
            raise ArtifactRefused("InvalidTag", "a tag has letters, digits, '.', '_' and '-', 128 at most")
        upload = self.artifacts.upload()
        digest = await self._receive(upload, pieces)
        now_ms = self.unix_ms()
        self.log(f"artifact {name}:{tag}: {upload.size_bytes} bytes, sha256:{digest}")
        return await self.writer.transact(
            lambda transaction: artifacts.note_pushed(
                transaction, name, tag, digest, upload.size_bytes, now_ms, self.random_bytes
            )
        )

    async def _receive(self, upload: Upload, pieces: AsyncIterator[bytes]) -> str:
        try:
            async for piece in pieces:
                upload.write(piece)
            return await asyncio.get_running_loop().run_in_executor(None, upload.finish)
        except BaseException:  # the client's cancellation too: nothing half-written stays
            upload.abort()
            raise

    def open_pod_log(self, pod: Object, options: LogOptions) -> LogStream:
        """The container's output as it comes; who opens it must call its `cancel` in the end. NodeUnreachable."""
        node = node_of(pod)
        connection = self.fleet.connection_of(node)
        if connection is None:
            raise NodeUnreachable(self._away_text(node))
        if not connection.can_open_log():
            raise NodeUnreachable(f"node {node} serves as many logs as it can: try again in a moment")
        stream = connection.open_log(uid_of(pod), options)
        self._wake(connection)
        return stream

    def _away_text(self, node: str) -> str:
        since_ms = self.fleet.away_since_unix_ms(node)
        if since_ms is None:
            return f"node {node} is not connected, and was not since the hub started at {rfc3339(self._started_ms)}"
        return f"node {node} is not connected since {rfc3339(since_ms)}"

    async def telemetry(self, query: telemetry.Query) -> Object | None:
        return await self.writer.read(lambda transaction: telemetry.answer(transaction, query))

    # ---- between the parts

    def _wake(self, connection: NodeConnection | None) -> None:
        if connection is None:
            self._fleet_loop.wake()
        else:
            self.node_server.wake(connection)

    async def _run_token_expiry(self) -> None:
        """Only for the eyes of who lists tokens: `tokens.spend` looks at the clock itself."""
        while True:
            await asyncio.sleep(TOKEN_EXPIRY_S)
            now_ms = self.unix_ms()
            try:
                if await self.writer.read(partial(tokens.has_expired, now_ms)):
                    await self.writer.transact(partial(tokens.mark_expired, now_ms))
            except EdgeliteError as error:
                self.log(f"token expiry: {error}")


def _admin_hash(transaction: Transaction) -> bytes:
    return admin.kept_hash(transaction) or b""
