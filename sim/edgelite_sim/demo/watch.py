"""Keeps the picture true while the story goes on: asks the hub, the meter's log and the workloads themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from edgelite_cli.failure import Failure
from edgelite_sim.demo.stage import TROUBLED, Stage, now_ms
from edgelite_sim.demo.verdict import parse_log
from edgelite_sim.demo.view import Picture, Row, View

COUNTER = "answered_reads"
DEVICE = "meter"
TELEMETRY = f"/apis/edgelite.dev/v1/namespaces/default/devices/{DEVICE}/telemetry"
DEVICE_PATH = f"/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/{DEVICE}"
SAMPLES_MAX = 10000  # the most that the hub gives at once; the demo makes a fiftieth of it
PERIOD_S = 0.5


def pss_text(pid: int) -> str:
    """The process's proportional memory, shared pages divided among those that share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return "-"
    kib = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return f"{kib / 1024:.1f} MB"


def condition(node: dict[str, Any], kind: str) -> str:
    conditions = node.get("status", {}).get("conditions", [])
    return next((found["status"] for found in conditions if found["type"] == kind), "Unknown")


def stored_counts(stage: Stage) -> list[int]:
    answer = stage.get(TELEMETRY, property=COUNTER, limit=SAMPLES_MAX)
    return [int(item["value"]) for item in answer["items"]]


def look_at_nodes(stage: Stage, rows: dict[str, Row]) -> None:
    for node in stage.get("/api/v1/nodes")["items"]:
        row = rows.get(node["metadata"]["name"])
        if row:
            row.ready = "Ready" if condition(node, "Ready") == "True" else "NotReady"


def look_at_pods(stage: Stage, rows: dict[str, Row]) -> None:
    for pod in stage.get("/api/v1/namespaces/default/pods")["items"]:
        row = rows.get(pod["spec"].get("nodeName", ""))
        if row is None:
            continue
        row.workload = pod.get("status", {}).get("phase", "Pending")
        found = pod.get("status", {}).get("containerStatuses") or [{}]
        row.restarts = str(found[0].get("restartCount", 0))


def twin_text(reported: dict[str, Any]) -> str:
    """The value, or why there is none."""
    return str(reported.get("value") or (reported.get("metadata") or {}).get("error") or "-")


def look_at_twins(stage: Stage, picture: Picture) -> None:
    device = stage.get(DEVICE_PATH)
    for twin in device.get("status", {}).get("twins", []):
        picture.twins[twin["propertyName"]] = twin_text(twin.get("reported") or {})


def look_around(stage: Stage, picture: Picture) -> None:
    """One look, blocking; parts of the picture that are not there yet stay as they are."""
    for row in picture.rows.values():
        process = stage.processes.get(row.node)
        row.memory = pss_text(process.pid) if process and process.is_alive() else "no agent"
        beat = stage.heartbeat(row.node)
        row.pid = "-" if beat is None else f"{beat[0]}" + ("" if now_ms() - beat[1] < 1500 else " (silent)")
    picture.rows[TROUBLED].link = stage.link.state
    picture.answered = len(parse_log(stage.answered()))
    look_at_nodes(stage, picture.rows)
    look_at_pods(stage, picture.rows)
    if picture.answered:
        look_at_twins(stage, picture)
        picture.stored = len(set(stored_counts(stage)))


async def keep_looking(stage: Stage, view: View) -> None:
    said = ""
    while True:
        try:
            await asyncio.to_thread(look_around, stage, view.picture)
        except Failure as failure:
            if failure.text != said:
                view.say(f"looking at the hub: {failure.text}")
            said = failure.text
        view.show()
        await asyncio.sleep(PERIOD_S)
