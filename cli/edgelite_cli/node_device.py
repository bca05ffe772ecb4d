"""A device as the agent of this machine knows it: asked over the node's bus, so without a hub, and offline too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_UNREACHABLE, EXIT_USAGE
from edgelite_cli.twins import Device, Object, Row
from edgelite_ports.common.bus_client import BusError, Client

RUN = Path("/run/edgelite")
SOCKET = "bus.sock"
TIMEOUT_S = 5.0
SETTLED, FAILED, IMPOSSIBLE = "settled", "failed", "impossible"


def socket_here(given: str) -> str:
    """The bus of the one agent that runs here; Failure where there is none or several."""
    if given:
        return given
    if os.environ.get("EDGELITE_BUS"):
        return os.environ["EDGELITE_BUS"]
    found = sorted(str(path) for path in RUN.glob(f"**/{SOCKET}")) if RUN.is_dir() else []
    if not found:
        raise Failure(
            "no agent of this machine has a bus: set `bus = yes` in its agent.conf and restart it", EXIT_UNREACHABLE
        )
    if len(found) > 1:
        raise Failure(f"several agents run here; give one of them by --socket: {', '.join(found)}", EXIT_USAGE)
    return found[0]


class NodeDevice(Device):
    def __init__(self, path: str, namespace: str, name: str) -> None:
        self.name = name
        self._key = f"{namespace}/{name}"
        self._path = socket_here(path)
        self._client = Client(self._path, "edgelite device", TIMEOUT_S)
        self._form: Object = {}

    def load(self) -> None:
        try:
            self._form = self._client.get(self._key)
        except BusError as error:
            raise self._failure(error) from error
        self.node = self._client.node

    @property
    def state(self) -> str:
        return str(self._form["state"])

    @property
    def reason(self) -> str:
        return str(self._form["reason"])

    def rows(self) -> list[Row]:
        return [row_of(name, form) for name, form in self._form["properties"].items()]

    def want(self, desired: dict[str, Object]) -> None:
        for name, one in desired.items():
            try:
                self._client.set(self._key, name, str(one["value"]))
            except BusError as error:
                raise self._failure(error, name + ": ") from error
        self.load()

    def follow(self) -> Iterator[None]:
        try:
            for change in self._client.watch(self._key):
                if "property" in change:
                    self._form["properties"][change["property"]] = change
                elif change["state"] == "removed":
                    raise Failure(f"device {self.name} was removed from this node")
                else:
                    self._form |= {"state": change["state"], "reason": change["reason"]}
                yield
        except BusError as error:
            raise self._failure(error) from error

    def outcome(self, name: str, wanted: str) -> str | None:
        form = self._form["properties"].get(name, {})
        if form.get("desired") != wanted:
            return None
        if form["desired_state"] in (FAILED, IMPOSSIBLE):
            return str(form["desired_error"] or form["error"] or "the device does not take it")
        return "" if form["desired_state"] == SETTLED else None

    def _failure(self, error: BusError, where: str = "") -> Failure:
        if error.code in ("timeout", "bus_gone"):
            return Failure(f"the agent's bus at {self._path} does not answer: {error.text}", EXIT_UNREACHABLE)
        return Failure(where + error.text)


def row_of(name: str, form: dict[str, Any]) -> Row:
    return Row(
        name,
        "" if form["value"] is None else str(form["value"]),
        "",
        str(form["quality"]),
        str(form.get("desired") or ""),
        str(form["error"] or form.get("desired_error") or ""),
        int(form["time_ms"]),
    )
