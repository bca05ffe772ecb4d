"""`edgelite hub`: one process, one directory."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import resource
import shlex
import signal
import socket
import sys
from collections.abc import Sequence

from edgelite_hub import options
from edgelite_hub.api.app import create_app
from edgelite_hub.api_server import ApiServer
from edgelite_hub.hub import Hub
from edgelite_hub.nodes.node_server import NodeServer, node_ssl_context
from edgelite_hub.routes import extra_routes
from edgelite_hub.security.ca import ensure_server_certificate
from edgelite_hub.security.private_files import make_private_directory, write_private
from edgelite_hub.settings import Settings, default_data_directory
from edgelite_hub.start import lift_restored
from edgelite_hub.store.sqlite import SqliteStore
from edgelite_protocol.errors import CorruptionError, PlatformError

EXIT_TROUBLE = 1

RESTORE_ADVICE = "put the data directory's backup in its place and start once with --restored (docs/hub.md)"


def main(arguments: Sequence[str] | None = None) -> int:
    settings, is_restored = options.parse(sys.argv[1:] if arguments is None else arguments)
    try:
        make_private_directory(settings.data_directory)
        store = SqliteStore(settings.store_path)
        try:
            asyncio.run(_run(settings, store, is_restored))
        finally:
            store.close()
    except CorruptionError as error:
        sys.stderr.write(f"edgelite hub: {error}; {RESTORE_ADVICE}\n")
        return EXIT_TROUBLE
    except PlatformError as error:
        sys.stderr.write(f"edgelite hub: {error}\n")
        return EXIT_TROUBLE
    except OSError as error:
        sys.stderr.write(f"edgelite hub: {error.filename or settings.data_directory}: {error.strerror}\n")
        return EXIT_TROUBLE
    return 0


async def _run(settings: Settings, store: SqliteStore, is_restored: bool) -> None:
    stop = _stop_event()
    _raise_descriptor_limit()
    hub = Hub(settings, store, _log)
    if is_restored:
        lift_restored(store, hub.unix_ms())
    chain_path, key_path = ensure_server_certificate(hub.authority, settings.pki_directory, settings.advertise)
    context = node_ssl_context(chain_path, key_path, hub.authority.pem.decode())
    nodes_port = await hub.start(lambda hub: NodeServer(hub.fleet, hub.writer, context))
    try:
        app = create_app(hub, extra_routes(hub))
        api = ApiServer(app, settings.api_host, settings.api_port, chain_path, key_path)
        await api.start()
        await _announce(hub, api.port, nodes_port)
        trouble = asyncio.create_task(hub.failed())
        await asyncio.wait({asyncio.create_task(stop.wait()), trouble}, return_when=asyncio.FIRST_COMPLETED)
        _notify_service_manager("STOPPING=1")
        app.state.watches.close()
        await hub.dismiss_nodes()
        await api.stop()
    finally:
        await hub.stop()
    if trouble.done() and (error := trouble.result()) is not None:
        raise error


async def _announce(hub: Hub, api_port: int, nodes_port: int) -> None:
    settings = hub.settings
    api = f"{_in_url(settings.api_host)}:{api_port}"
    nodes = f"{_in_url(settings.nodes_host)}:{nodes_port}"
    await hub.ensure_kubeconfig(f"https://{_reachable(settings.api_host)}:{api_port}")
    facts = {"api": api, "nodes": nodes, "caSha256": hub.authority.fingerprint, "pid": os.getpid()}
    # Last: who waits for this file finds the kubeconfig beside it, and both ports open.
    write_private(settings.facts_path, json.dumps(facts, indent=2).encode() + b"\n")
    joining = f"{(settings.advertise or (_own_name(settings.nodes_host),))[0]}:{nodes_port}"
    sys.stdout.write(
        f"edgelite hub is ready\n\n"
        f"  API         https://{api}\n"
        f"  nodes       {nodes}\n"
        f"  data        {settings.data_directory}\n"
        f"  kubeconfig  {settings.kubeconfig_path}\n\n"
        f"Next, to let a node join:\n\n"
        f"  edgelite token create{_option(settings)}      # on this machine\n"
        f"  edgelite join {joining} --token TOKEN      # on the node\n\n"
    )
    sys.stdout.flush()
    _notify_service_manager("READY=1")


def _option(settings: Settings) -> str:
    default = default_data_directory()
    return "" if settings.data_directory == default else f" --kubeconfig {shlex.quote(str(settings.kubeconfig_path))}"


def _raise_descriptor_limit() -> None:
    """As many as the system lets us have: a node costs one, and the usual soft limit of 1,024 is below what the hub
    can serve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _notify_service_manager(state: str) -> None:
    """sd_notify(3), where the environment asks for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            _log(f"cannot tell the service manager {state}: {error.strerror}")


def _log(line: str) -> None:
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sys.stderr.write(f"{moment} {line}\n")
    sys.stderr.flush()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reachable(host: str) -> str:
    """An address that this machine can use, and the API's certificate holds."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "127.0.0.1", "::1") else _in_url(host)


def _own_name(host: str) -> str:
    return socket.gethostname() if host in ("0.0.0.0", "::") else _in_url(host)


if __name__ == "__main__":
    raise SystemExit(main())
