"""A device: a row for each property, changes as they come, what became of a desired value; here as its hub knows it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgelite_cli.client import ApiError, Client
from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE

GROUP = "/apis/devices.kubeedge.io/v1beta1"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
HISTORY_SAMPLES = 200

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One property. Texts are as the API has them; `time_ms` is when the value was read, 0 for never."""

    name: str
    value: str
    unit: str
    quality: str
    desired: str
    error: str
    time_ms: int


class Device:
    """What `edgelite device` needs of a device, wherever it is asked."""

    name = ""
    node = ""  # whose it is, where that is known

    def load(self) -> None:
        """Take what is known now. Failure where there is no such device."""
        raise NotImplementedError

    @property
    def state(self) -> str:
        raise NotImplementedError

    @property
    def reason(self) -> str:
        """Why it is not online."""
        raise NotImplementedError

    def rows(self) -> list[Row]:
        raise NotImplementedError

    def history(self, name: str) -> list[Any]:
        """The newest samples of a property that are kept, oldest first."""
        return []

    def want(self, desired: dict[str, Object]) -> None:
        """Give properties a desired value (`{"value": …}` and what goes with it), leaving all else as it is."""
        raise NotImplementedError

    def follow(self) -> Iterator[None]:
        """Yields each time that the device has changed."""
        raise NotImplementedError

    def outcome(self, name: str, wanted: str) -> str | None:
        """What became of a desired value: "" when the device holds it, a text when it does not take it, None while its
        node has not said."""
        raise NotImplementedError

    def require(self, names: list[str]) -> None:
        known = [row.name for row in self.rows()]
        for name in names:
            if name not in known:
                raise Failure(
                    f"device {self.name} has no property {name}; it has: {', '.join(known) or 'none'}", EXIT_USAGE
                )


class HubDevice(Device):
    """One Device at a hub."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self.name = name
        self.path = f"{GROUP}/namespaces/{namespace}/devices/{name}"
        self.device: Object = {}
        self._units: dict[str, str] = {}

    def load(self) -> None:
        self.device = self._client.request("GET", self.path)
        model = self.device["spec"]["deviceModelRef"]["name"]
        try:
            found = self._client.request("GET", f"{GROUP}/namespaces/{self._namespace}/devicemodels/{model}")
        except ApiError as error:
            if error.code != 404:
                raise
            found = {}
        properties = (found.get("spec") or {}).get("properties") or []
        self._units = {one["name"]: str(one.get("unit") or "") for one in properties}
        self.node = str(self.device["spec"].get("nodeName") or "")

    @property
    def state(self) -> str:
        return str((self.device.get("status") or {}).get("state") or "unknown")

    @property
    def reason(self) -> str:
        conditions = (self.device.get("status") or {}).get("conditions") or []
        return next((str(one["message"]) for one in conditions if one.get("message")), "")

    def rows(self) -> list[Row]:
        status = self.device.get("status") or {}
        twins = {twin["propertyName"]: twin for twin in status.get("twins") or []}
        properties = self.device["spec"].get("properties") or []
        return [row_of(one, twins.get(one["name"]) or {}, self._units.get(one["name"], "")) for one in properties]

    def history(self, name: str) -> list[Any]:
        path = f"/apis/edgelite.dev/v1/namespaces/{self._namespace}/devices/{self.name}/telemetry"
        found = self._client.request("GET", path, {"property": name, "limit": HISTORY_SAMPLES})["items"]
        return [item["value"] for item in sorted(found, key=lambda item: item["timeMs"])]

    def want(self, desired: dict[str, Object]) -> None:
        self.require(list(desired))
        metadata = {"timestamp": str(time.time_ns() // 1_000_000)}  # a new wish, even where it names the old value
        properties = [{"name": name, "desired": {"metadata": metadata, **one}} for name, one in desired.items()]
        patch = {"spec": {"properties": properties}}
        self.device = self._client.request("PATCH", self.path, {"fieldValidation": "Strict"}, patch, STRATEGIC)

    def follow(self) -> Iterator[None]:
        """Ends where the hub ends the watch."""
        query: Object = {
            "fieldSelector": f"metadata.name={self.name}",
            "resourceVersion": self.device["metadata"]["resourceVersion"],
        }
        collection = self.path.rpartition("/")[0]
        for event in self._client.watch(collection, query):
            if event["type"] == "ERROR":
                raise Failure("the watch ended: " + str(event["object"].get("message")))
            if event["type"] == "DELETED":
                raise Failure(f"device {self.name} was deleted")
            if event["type"] != "BOOKMARK":
                self.device = event["object"]
                yield

    def outcome(self, name: str, wanted: str) -> str | None:
        generation = int(self.device["metadata"].get("generation") or 1)
        status = self.device.get("status") or {}
        twin: Object = next((one for one in status.get("twins") or [] if one["propertyName"] == name), {})
        observed = twin.get("observedDesired") or {}
        metadata = observed.get("metadata") or {}
        if observed.get("value") != wanted or int(metadata.get("version") or 0) < generation:
            return None
        if metadata.get("error"):
            return str(metadata["error"])
        return "" if is_same(wanted, str((twin.get("reported") or {}).get("value", ""))) else None


def row_of(property: Object, twin: Object, unit: str) -> Row:
    reported = twin.get("reported") or {}
    metadata = reported.get("metadata") or {}
    observed = (twin.get("observedDesired") or {}).get("metadata") or {}
    desired = (property.get("desired") or {}).get("value")
    return Row(
        str(property["name"]),
        str(reported.get("value", "")),
        unit,
        str(metadata.get("quality") or ""),
        "" if desired in (None, "") else str(desired),
        str(metadata.get("error") or observed.get("error") or ""),
        int(metadata.get("timestamp") or 0),
    )


def is_same(wanted: str, reported: str) -> bool:
    """Whether two twin values mean the same: 30 is 30.0, and a device may keep fewer digits than it was given."""
    try:
        return math.isclose(float(wanted), float(reported), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return wanted == reported
