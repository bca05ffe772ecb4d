"""How much configuration a Pod may bring along, with real processes: it arrives whole, or the Pod says why not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from edgelite_sim.site import Site

NODE = "node-1"
POD = "/api/v1/namespaces/default/pods/"


def config_map(name: str, size_bytes: int) -> tuple[str, str]:
    """(manifest, text): text of two bytes a character here and there, so that characters are not bytes."""
    letters = random.Random(size_bytes).choices("abcdefghij klmnop\nqrstuvwxyzäöü", k=size_bytes)
    text = "".join(letters).encode()[:size_bytes].decode("utf-8", "ignore")
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"f": text}}), text


FROM_FILE = (
    'cat "$EDGELITE_ROOT/etc/app/f"',
    {"volumeMounts": [{"name": "files", "mountPath": "/etc/app"}]},
)
FROM_ENVIRONMENT = (
    'printf %s "$CONTENT"',
    {"env": [{"name": "CONTENT", "valueFrom": {"configMapKeyRef": {"name": "ten", "key": "f"}}}]},
)


def pod(name: str, config: str, script: str, container: dict[str, Any]) -> str:
    container = {"name": "main", "image": "host", "command": ["sh", "-c", script], **container}
    volumes = [{"name": "files", "configMap": {"name": config}}]
    spec = {"nodeName": NODE, "runtimeClassName": "process", "containers": [container], "volumes": volumes}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


async def play(site: Site, folder: Path) -> None:
    await site.start_hub()
    await site.join(NODE, await site.token(), site.node_port)
    await site.start_agent(NODE)
    ready = "/api/v1/nodes/" + NODE
    await site.until("the node has said hello", lambda: "nodeInfo" in json.dumps(site.get(ready)))
    manifest, text = config_map("ten", 10_000)
    await site.apply("ten.yaml", manifest)
    for name, (source, container) in (("from-file", FROM_FILE), ("from-env", FROM_ENVIRONMENT)):
        out = folder / name
        script = f"{source} > {out}.part; mv {out}.part {out}; exec sleep 1000"
        await site.apply(name + ".yaml", pod(name, "ten", script, container))
        await site.until(f"{name} has its configuration", out.exists)
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(text.encode()).digest(), name
    await site.apply("forty.yaml", config_map("forty", 40_000)[0])
    await site.apply("too-large.yaml", pod("too-large", "forty", "true", FROM_FILE[1]))
    shown = await site.until("it says why it waits", lambda: waiting(site, "too-large"))
    assert shown["reason"] == "TooLarge" and "bring large files as an artifact" in shown["message"]
    await site.command("delete", "pod", "from-file", "from-env", "too-large", "--now")


def waiting(site: Site, name: str) -> Any:
    statuses = site.get(POD + name).get("status", {}).get("containerStatuses") or [{}]
    state = (statuses[0].get("state") or {}).get("waiting") or {}
    return state if state.get("message") else None


def test_ten_kilobytes_of_configuration_arrive_whole(tmp_path: Path) -> None:
    async def staged() -> None:
        site = Site(tmp_path)
        try:
            await play(site, tmp_path)
        finally:
            await site.stop()

    asyncio.run(staged())
