"""What a Device asks of its node that an earlier release would skip without a word."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from pairing import NODE, SLOW_S, Pair
from releases import TODAY, checkout

from edgelite_sim.qemu import agents

DEVICE = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/drive"
HEAD = {"apiVersion": "devices.kubeedge.io/v1beta1", "metadata": {"name": "drive"}}
MODEL = {"properties": [{"name": "speed", "type": "FLOAT", "accessMode": "ReadWrite"}]}


def objects(port: int, **more: Any) -> str:
    visitors = {"configData": {"register": "HoldingRegister", "offset": 2, "limit": 2}}
    spec = {
        "deviceModelRef": {"name": "drive"},
        "nodeName": NODE,
        "protocol": {"protocolName": "modbus", "configData": {"ip": "127.0.0.1", "port": port}},
        "properties": [
            {"name": "speed", "collectCycle": 200, "desired": {"value": "30"}, "visitors": visitors, **more}
        ],
    }
    return "\n---\n".join(
        json.dumps({**HEAD, "kind": kind, "spec": one}) for kind, one in (("DeviceModel", MODEL), ("Device", spec))
    )


def status(pair: Pair) -> dict[str, Any]:
    return dict(pair.get(DEVICE).get("status") or {})


def compiled(pair: Pair) -> str:
    return next((str(one["reason"]) for one in status(pair).get("conditions", []) if one["type"] == "Compiled"), "")


def settled(pair: Pair) -> bool:
    twins = status(pair).get("twins") or [{}]
    return bool((twins[0].get("observedDesired") or {}).get("value") == "30")


async def _scene(pair: Pair) -> None:
    try:
        await pair.start_hub()
        await pair.start_meter()
        await pair.join(NODE, await pair.token(), pair.node_port, "backoff_base_ms = 200\nbackoff_cap_ms = 1000\n")
        await pair.start_agent(NODE)
        await pair.apply("safe.yaml", objects(pair.meter_port, failSafe={"value": "10", "afterMs": 60_000}))
        await pair.until("the hub keeps it back", lambda: compiled(pair) == "NodeTooOld", SLOW_S)
        await pair.apply("plain.yaml", objects(pair.meter_port))
        await pair.until("what it knows is given to it, and its time skipped", lambda: settled(pair), SLOW_S)
        assert compiled(pair) == ""
    finally:
        await pair.stop()


def test_an_earlier_agent_is_not_trusted_with_a_fail_safe_value(tmp_path: Path) -> None:
    earlier = checkout("v0.1.0")
    asyncio.run(_scene(Pair(tmp_path, checkout(TODAY), earlier, agents.words(agents.HOST, earlier))))
