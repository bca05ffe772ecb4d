"""What happens in the demo, one act after another. Each act says what it does and checks that it came out."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal

from edgelite_sim.demo import watch
from edgelite_sim.demo.stage import NODES, TROUBLED, Stage, now_ms
from edgelite_sim.demo.verdict import Verdict, judge, parse_log
from edgelite_sim.demo.view import View
from edgelite_sim.proxy import REFUSED, SILENT
from edgelite_sim.site import SiteError

OUTAGE_S = 20.0
QUIET_S = 4.0  # between the acts, so that one sees what is normal
DELIVERY_TIMEOUT_S = 40.0
IN_FLIGHT_MS = 50  # an answer may be on its way to an agent that is killed in the same moment


class Story:
    def __init__(self, stage: Stage, view: View) -> None:
        self.stage = stage
        self.view = view
        self.facts: list[str] = []  # lines of the summary

    def act(self, text: str) -> None:
        self.view.picture.step = text
        self.view.say(text)

    def fact(self, text: str) -> None:
        self.facts.append(text)
        self.view.say("  " + text)

    async def set_up(self) -> None:
        stage = self.stage
        self.act("starting the hub and the meter")
        await asyncio.gather(stage.start(), stage.start_meter())
        token = await stage.token()
        self.act("three nodes join with a token, each over mutual TLS with a key of its own")
        await stage.join_all(token)
        for node in NODES:
            await stage.start_agent(node)

    async def apply(self) -> None:
        stage = self.stage
        self.act("a program is pushed as an artifact; a DaemonSet and the meter's Device are applied from YAML")
        await stage.apply_workload()
        await stage.apply_meter()
        await stage.until("the workload runs on all nodes", lambda: all(stage.heartbeat(node) for node in NODES))
        await stage.until("the meter's readings reach the hub", lambda: len(watch.stored_counts(stage)) > 2)
        self.fact("the workload runs on all three nodes and the meter is read into its twin")

    async def workload_dies(self) -> None:
        stage = self.stage
        self.act(f"{TROUBLED} is cut off: its workload is killed")
        killed_ms = now_ms()
        pid = await stage.kill_workload()

        def restarted() -> bool:
            beat = stage.heartbeat(TROUBLED)
            return beat is not None and beat[0] != pid

        await stage.until("the supervisor restarts the workload", restarted, timeout_s=15, pause_s=0.02)
        began = next(beat for beat in stage.beats(TROUBLED) if beat[1] >= killed_ms and beat[0] != pid)
        self.fact(f"offline, the supervisor restarted the killed workload after {began[1] - killed_ms} ms")

    async def agent_dies(self) -> None:
        stage = self.stage
        self.act(f"{TROUBLED} is cut off: its agent is killed with SIGKILL")
        await stage.kill_agent()
        before = stage.heartbeat(TROUBLED)
        answered = len(parse_log(stage.answered()))
        await asyncio.sleep(3)
        await stage.restart_agent()
        await stage.until("the new agent reads the meter", lambda: len(parse_log(stage.answered())) > answered)
        log = parse_log(stage.answered())
        stage.agent_read_again(min(time_ms for count, time_ms in log.items() if count > answered))
        await asyncio.sleep(1)
        after = stage.heartbeat(TROUBLED)
        self.check_untouched(before, after)

    def check_untouched(self, before: tuple[int, int] | None, after: tuple[int, int] | None) -> None:
        if before is None or after is None or before[0] != after[0] or after[1] <= before[1]:
            raise SiteError(f"the workload did not live through the agent's death: {before} became {after}")
        beats = [time_ms for pid, time_ms in self.stage.beats(TROUBLED) if pid == after[0]]
        pause = max((b - a for a, b in itertools.pairwise(beats)), default=0)
        dead = self.stage.dead[-1]
        self.fact(
            f"the agent was dead for {dead[1] - dead[0]} ms; its workload, process {after[0]}, ran on "
            f"(longest silence {pause} ms) and was found again"
        )

    async def outage(self, state: str, text: str, trouble: bool) -> None:
        self.act(text)
        began = asyncio.get_running_loop().time()
        await self.stage.link.cut(state)
        if trouble:
            await asyncio.sleep(4)
            await self.workload_dies()
            await asyncio.sleep(1)
            await self.agent_dies()
        await asyncio.sleep(max(0, OUTAGE_S - (asyncio.get_running_loop().time() - began)))
        backlog = self.view.picture.backlog
        await self.stage.link.heal()
        self.act("the link is back")
        healed_ms = now_ms()
        await self.delivered()
        self.fact(
            f"{state} for {OUTAGE_S:.0f} s: {backlog} reads waited, all at the hub {now_ms() - healed_ms} ms after"
        )

    async def delivered(self) -> None:
        """The hub has every read that the meter had answered when this was called."""
        answered = max(parse_log(self.stage.answered()), default=0)
        await self.stage.until(
            "the backlog reaches the hub",
            lambda: max(watch.stored_counts(self.stage), default=0) >= answered,
            DELIVERY_TIMEOUT_S,
        )

    async def compare(self) -> Verdict:
        """Let the meter answer no more, let the last read arrive, then hold its log against the hub's store."""
        await asyncio.sleep(QUIET_S)
        self.act("the meter is switched off; its own log is compared with the hub's store")
        stage = self.stage
        await stage.processes["meter"].end(signal.SIGTERM)
        with contextlib.suppress(SiteError):  # the verdict says what is missing, better than a timeout
            await self.delivered()
        dead = [(start - IN_FLIGHT_MS, end) for start, end in stage.dead]
        stored = await asyncio.to_thread(watch.stored_counts, stage)
        return judge(parse_log(stage.answered()), stored, dead)

    async def tell(self) -> Verdict:
        await self.set_up()
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(watch.keep_looking(self.stage, self.view))
            verdict = await self.acts()
            looking.cancel()
        return verdict

    async def acts(self) -> Verdict:
        await self.apply()
        await asyncio.sleep(QUIET_S)
        refused = f"outage 1: {TROUBLED}'s connection is dropped and new ones are refused, for {OUTAGE_S:.0f} s"
        await self.outage(REFUSED, refused, trouble=True)
        await asyncio.sleep(QUIET_S)
        silent = f"outage 2: {TROUBLED}'s link falls silent, no FIN, no RST, for {OUTAGE_S:.0f} s"
        await self.outage(SILENT, silent, trouble=False)
        return await self.compare()
