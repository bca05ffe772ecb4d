"""The first whole path with real processes: hub, agent, workload, meter, and what a user types."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgelite_sim.site import Site, SiteError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
import micropython_site

NODE = "node-1"
PODS = "/api/v1/namespaces/default/pods"

Scene = Callable[[Site], Awaitable[None]]


@pytest.fixture
def play_with_tasks(tmp_path: Path, play_by: Callable[[list[str], Scene], None]) -> Callable[[Scene], None]:
    """With an agent on MicroPython whose firmware has the module firmware_tasks.py of the test's folder."""
    name, value = micropython_site.agent_words()[1].split("=", 1)
    words = ["env", f"{name}={tmp_path}:{value}", *micropython_site.agent_words()[2:]]

    return lambda scene: play_by(words, scene)


def pod(name: str, script: str, **spec: Any) -> str:
    escaped = script.replace("$$", "$$$$")  # as in Kubernetes, `$$` in a command stands for one `$`
    container = {"name": "main", "image": "host", "command": ["sh", "-c", escaped]} | spec.pop("container", {})
    whole = {"nodeName": NODE, "runtimeClassName": "process", "containers": [container]} | spec
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole})


def container_state(site: Site, name: str) -> dict[str, Any]:
    statuses = site.get(f"{PODS}/{name}").get("status", {}).get("containerStatuses") or [{}]
    return dict(statuses[0].get("state") or {})


async def phase(site: Site, name: str, wanted: str) -> None:
    await site.until(f"{name} is {wanted}", lambda: site.get(f"{PODS}/{name}").get("status", {}).get("phase") == wanted)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_pod_runs_is_read_and_is_gone_when_its_node_says_so(
    play_on_both: Callable[[Scene], None], tmp_path: Path
) -> None:
    async def scene(site: Site) -> None:
        pid_file = tmp_path / "pid"
        await site.apply("pod.yaml", pod("talker", f"echo first line; echo $$ > {pid_file}; exec sleep 1000"))
        await phase(site, "talker", "Running")
        pid = int(
            await site.until("the workload tells its process id", lambda: pid_file.exists() and pid_file.read_text())
        )
        assert await site.command("logs", "talker") == "first line\n"
        shown = await site.command("get", "pods")
        assert "talker" in shown and "Running" in shown
        assert "talker" in await site.command("describe", "pod", "talker")
        await site.command("delete", "pod", "talker", "--timeout", "20")
        assert is_gone(pid)
        with pytest.raises(SiteError, match="not found"):
            await site.command("get", "pod", "talker")

    play_on_both(scene)


def test_config_and_secrets_reach_the_workload(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        out = tmp_path / "out"
        await site.apply(
            "config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {GREETING: hello, settings.ini: '[a]'}\n---\n"
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {PASSWORD: hunter2}\n",
        )
        container = {
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "PASSWORD"}}}],
            "volumeMounts": [{"name": "files", "mountPath": "/etc/app"}],
        }
        script = f'echo "$GREETING $PASSWORD $(cat "$EDGELITE_ROOT/etc/app/settings.ini")" > {out}; exec sleep 1000'
        volumes = [{"name": "files", "configMap": {"name": "c"}}]
        await site.apply("pod.yaml", pod("reader", script, container=container, volumes=volumes))
        text = await site.until("the workload has written", lambda: out.exists() and out.read_text())
        assert text == "hello hunter2 [a]\n"
        await site.command("delete", "pod", "reader", "--now")

    play_on_both(scene)


def test_an_artifact_is_delivered_and_runs(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        program = tmp_path / "tool" / "run.sh"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\ncat data.bin | wc -c > {tmp_path}/size\nexec sleep 1000\n")
        program.chmod(0o755)
        (program.parent / "data.bin").write_bytes(os.urandom(300_000))
        await site.command("push", "tool:1", str(program.parent))
        await site.apply("pod.yaml", pod("tool", "", container={"image": "tool:1", "command": ["./run.sh"]}))
        await phase(site, "tool", "Running")
        size = await site.until(
            "the program has run", lambda: (tmp_path / "size").exists() and (tmp_path / "size").read_text()
        )
        assert int(size) == 300_000
        await site.command("delete", "pod", "tool", "--now")

    play_on_both(scene)


def test_a_command_that_does_not_exist_is_visible_at_the_hub(play_on_both: Callable[[Scene], None]) -> None:
    async def scene(site: Site) -> None:
        await site.apply("pod.yaml", pod("broken", "", container={"command": ["no-such-program"]}))

        def reason() -> bool:
            state = container_state(site, "broken")
            found = state.get("waiting") or state.get("terminated") or {}
            return "no-such-program" in str(found.get("message")) and found.get("reason") == "CommandNotFound"

        await site.until("the hub shows the reason", reason)
        status = site.get(f"{PODS}/broken")["status"]
        assert status["phase"] == "Pending", "it never ran"
        assert status["containerStatuses"][0]["lastState"] == {}
        await site.command("delete", "pod", "broken", "--now")

        await site.apply("pod.yaml", pod("once", "", container={"command": ["no-such-program"]}, restartPolicy="Never"))
        await phase(site, "once", "Failed")
        ended = container_state(site, "once")["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "CommandNotFound")
        await site.command("delete", "pod", "once", "--now")

    play_on_both(scene)


def test_the_hub_may_die_and_the_node_comes_back_to_it(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        await site.apply("pod.yaml", pod("steady", f"echo $$ >> {tmp_path}/pids; exec sleep 1000"))
        await phase(site, "steady", "Running")
        await site.processes["hub"].end(signal.SIGKILL)
        await site.start_hub()
        await site.apply("pod2.yaml", pod("later", f"touch {tmp_path}/later; exec sleep 1000"))
        await site.until("the node runs what came later", (tmp_path / "later").exists)
        assert len((tmp_path / "pids").read_text().split()) == 1
        await site.command("delete", "pod", "steady", "later", "--now")

    play_on_both(scene)


def test_the_agent_may_stop_and_everything_runs_on(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        pid_file = tmp_path / "pid"
        await site.apply("pod.yaml", pod("steady", f"echo $$ >> {pid_file}; exec sleep 1000"))
        pid = int(await site.until("it tells its process id", lambda: pid_file.exists() and pid_file.read_text()))
        for number in (signal.SIGTERM, signal.SIGKILL):
            await site.processes[NODE].end(number)
            assert not is_gone(pid)
            await site.start_agent(NODE)
        await asyncio.sleep(2)
        assert pid_file.read_text().split() == [str(pid)]
        await site.command("delete", "pod", "steady", "--timeout", "20")
        assert is_gone(pid)

    play_on_both(scene)


def test_an_exit_that_nobody_saw_is_told_when_the_agent_is_back(
    play_on_both: Callable[[Scene], None], tmp_path: Path
) -> None:
    async def scene(site: Site) -> None:
        go = tmp_path / "go"
        script = f"while [ ! -e {go} ]; do sleep 0.1; done; exit 7"
        await site.apply("pod.yaml", pod("short", script, restartPolicy="Never"))
        await phase(site, "short", "Running")
        await site.processes[NODE].end(signal.SIGKILL)
        go.touch()
        await asyncio.sleep(0.5)
        await site.start_agent(NODE)
        await phase(site, "short", "Failed")
        assert container_state(site, "short")["terminated"]["exitCode"] == 7
        await site.command("delete", "pod", "short", "--now")

    play_on_both(scene)


TASKS = """
from edgelite_ports.micropython.tasks import TaskStopped, sleep_ms

async def count(task):
    task.print("counting from", task.arguments[0], "on", task.environment["EDGELITE_NODE"])
    try:
        while True:
            await sleep_ms(50)
    except TaskStopped:
        task.print("stopped")
        raise

async def fails(task):
    task.print("about to fail")
    await sleep_ms(10)
    raise ValueError("no such pin")
"""


def task_pod(name: str, *command: str, **spec: Any) -> str:
    return pod(name, "", container={"command": list(command)}, runtimeClassName="task", **spec)


def test_a_task_runs_in_the_agent_and_its_log_is_read(play_with_tasks: Callable[[Scene], None], tmp_path: Path) -> None:
    (tmp_path / "firmware_tasks.py").write_text(TASKS)

    async def scene(site: Site) -> None:
        await site.apply("count.yaml", task_pod("counter", "firmware_tasks:count", "7"))
        await phase(site, "counter", "Running")
        assert await site.command("logs", "counter") == f"counting from 7 on {NODE}\n"
        await site.apply("fails.yaml", task_pod("failing", "firmware_tasks:fails", restartPolicy="Never"))
        await phase(site, "failing", "Failed")
        ended = container_state(site, "failing")["terminated"]
        assert (ended["exitCode"], ended["message"]) == (1, "ValueError: no such pin")
        assert (await site.command("logs", "failing")).endswith("ValueError: no such pin\n")
        await site.processes[NODE].end(signal.SIGKILL)  # and nothing of a task outlives its agent
        await site.start_agent(NODE)
        await site.until("the task is started again", lambda: restarts(site, "counter") == 1)
        await phase(site, "counter", "Running")
        for name in ("counter", "failing"):
            await site.command("delete", "pod", name, "--timeout", "20")
        assert site.get(PODS)["items"] == []

    play_with_tasks(scene)


def test_a_node_without_the_runtime_says_so_in_its_own_words(play: Callable[[Scene], None]) -> None:
    async def scene(site: Site) -> None:
        await site.until("the node has said hello", lambda: "nodeInfo" in json.dumps(site.get("/api/v1/nodes/" + NODE)))
        await site.apply("task.yaml", task_pod("counter", "firmware_tasks:count", "7"))
        reason = "MicroPython"  # the CPython agent's own word for where tasks run
        await site.until("the hub shows why", lambda: reason in json.dumps(site.get(f"{PODS}/counter")["status"]))
        await site.command("delete", "pod", "counter", "--now")

    play(scene)


def restarts(site: Site, name: str) -> int:
    return int(
        (site.get(f"{PODS}/{name}").get("status", {}).get("containerStatuses") or [{}])[0].get("restartCount", 0)
    )


def test_a_killed_process_is_started_again(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        pid_file = tmp_path / "pid"
        await site.apply("pod.yaml", pod("steady", f"echo $$ >> {pid_file}; exec sleep 1000"))
        await phase(site, "steady", "Running")
        os.kill(int(await site.until("it tells its process id", lambda: pid_file.exists() and pid_file.read_text())), 9)
        await site.until("it runs again", lambda: len(pid_file.read_text().split()) == 2)
        await site.until("the hub counts it", lambda: restarts(site, "steady") == 1)
        await site.command("delete", "pod", "steady", "--timeout", "20")
        assert is_gone(int(pid_file.read_text().split()[1]))

    play_on_both(scene)


def test_a_node_changes_its_interpreter_under_running_workloads(play: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        pid_file, go = tmp_path / "pid", tmp_path / "go"
        await site.apply("steady.yaml", pod("steady", f"echo $$ >> {pid_file}; exec sleep 1000"))
        script = f"while [ ! -e {go} ]; do sleep 0.1; done; exit 7"
        await site.apply("short.yaml", pod("short", script, restartPolicy="Never"))
        for name in ("steady", "short"):
            await phase(site, name, "Running")
        pid = pid_file.read_text()
        own_words = site.agent_words
        for words in (micropython_site.agent_words(), own_words, micropython_site.agent_words()):
            await site.processes[NODE].end(signal.SIGKILL)
            if words is own_words:
                go.touch()  # it ends while nobody looks, started by the one and awaited by the other
                await asyncio.sleep(0.5)
            site.agent_words = words
            await site.start_agent(NODE)
            runtime = "micropython" if words is not own_words else "cpython"
            told = "/api/v1/nodes/" + NODE
            await site.until("it says what it runs on", lambda: f"edgelite://{runtime}" in json.dumps(site.get(told)))  # noqa: B023
        await phase(site, "short", "Failed")
        assert container_state(site, "short")["terminated"]["exitCode"] == 7
        assert pid_file.read_text() == pid and restarts(site, "steady") == 0 and not is_gone(int(pid))
        for name in ("steady", "short"):
            await site.command("delete", "pod", name, "--timeout", "20")
        assert is_gone(int(pid))

    play(scene)


METER = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/meter"


def twins(site: Site) -> dict[str, dict[str, Any]]:
    found = site.get(METER).get("status", {}).get("twins", [])
    return {twin["propertyName"]: twin for twin in found}


def test_a_meter_is_read_and_a_register_it_refuses_is_marked(play_on_both: Callable[[Scene], None]) -> None:
    async def scene(site: Site) -> None:
        await site.start_meter()
        text = (resources.files("edgelite_sim.demo") / "files" / "meter.yaml").read_text()
        await site.apply("meter.yaml", text.replace("@NODE@", NODE).replace("@PORT@", str(site.meter_port)))
        await site.until("twins are reported", lambda: "reported" in twins(site).get("voltage", {}))
        assert 200 < float(twins(site)["voltage"]["reported"]["value"]) < 260
        telemetry = await site.command("telemetry", "meter", "--property", "answered_reads", "-o", "json")
        counts = [json.loads(line)["value"] for line in telemetry.splitlines()]
        assert counts == sorted(set(counts)) and counts
        await site.until(
            "the refused register is marked", lambda: "exception 2" in json.dumps(twins(site).get("refused", {}))
        )

    play_on_both(scene)


BAD_MANIFESTS = [
    ("apiVersion: v1\nkind: Wish\nmetadata: {name: x}\n", "does not know apiVersion v1 kind Wish"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {runtimeClassName: process}\n", "spec.containers"),
    (pod("x", "true").replace('"nodeName"', '"nodename"'), "nodename"),
    (pod("x", "true").replace('"host"', "7"), "spec.containers[0].image"),
    (pod("x", "true").replace('"process"', '"docker"'), "spec.runtimeClassName"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\ndata: {a: b}\n", "metadata.name"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}\n", "data"),
]


def test_bad_manifests_are_refused_by_field_and_nothing_is_stored(play: Callable[[Scene], None]) -> None:
    async def scene(site: Site) -> None:
        for number, (text, named) in enumerate(BAD_MANIFESTS):
            with pytest.raises(SiteError) as caught:
                await site.apply(f"bad-{number}.yaml", text)
            assert named in str(caught.value), text
        assert site.get(PODS)["items"] == []
        names = [item["metadata"]["name"] for item in site.get("/api/v1/namespaces/default/configmaps")["items"]]
        assert "x" not in names

    play(scene)


def test_tokens_that_may_not_join_are_told_why(play: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        good = await site.token()
        short = (await site.command("token", "create", "--ttl", "1s")).strip()
        revoked = await site.token()
        name = revoked.split(".")[1]
        listed = site.get("/apis/edgelite.dev/v1/jointokens")["items"]
        known = next(item["metadata"]["name"] for item in listed if name in json.dumps(item))
        await site.command("token", "revoke", known)
        await asyncio.sleep(1.2)
        other = ".".join([*good.split(".")[:3], "0" * 64])
        wrong = ".".join([*good.split(".")[:2], "0" * 32, good.split(".")[3]])
        for token, said in (
            (short, "expired"),
            (revoked, "revoked"),
            (other, "another_hub"),
            (wrong, "token"),
            ("x", "token"),
        ):
            with pytest.raises(SiteError) as caught:
                await site.join("intruder", token, site.node_port)
            assert said in str(caught.value), (token, str(caught.value))
        assert [item["metadata"]["name"] for item in site.get("/api/v1/nodes")["items"]] == [NODE]

    play(scene)


def agent_says(folder: Path) -> str:
    async def run() -> str:
        site = Site(folder)
        agent = await site.start_agent(NODE)
        assert agent.process is not None
        try:
            code = await asyncio.wait_for(agent.process.wait(), 10)
        finally:
            await agent.end(signal.SIGKILL)
        assert code not in (0, -9)
        return agent.log.read_text()

    return asyncio.run(run())


def test_an_agent_that_never_joined_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / NODE).mkdir()
    assert "edgelite join" in agent_says(tmp_path)


def test_a_damaged_journal_is_never_taken_for_an_empty_one(play: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(site: Site) -> None:
        await site.apply("pod.yaml", pod("steady", "exec sleep 1000"))
        await phase(site, "steady", "Running")
        await site.processes[NODE].end(signal.SIGTERM)
        for segment in (tmp_path / NODE / "journal").iterdir():
            if segment.stat().st_size:
                with segment.open("r+b") as file:
                    file.seek(0)
                    file.write(b"\xff" * 64)
        await site.start_agent(NODE)
        log = site.processes[NODE].log
        await site.until(
            "the agent tells of the damage", lambda: "damage" in log.read_text() or "corrupt" in log.read_text()
        )
        await asyncio.sleep(1)

    play(scene)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any((tmp_path / NODE).glob("run/*/pid")):
        time.sleep(0.1)
