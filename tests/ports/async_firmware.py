"""A firmware with an asyncio loop of its own that runs the agent beside its other work: async_firmware.py STATE

Counts each 10 ms while the agent runs, and tells the count when SIGTERM has stopped it.
"""

import asyncio
import sys

from edgelite_ports.common.log import Log
from edgelite_ports.micropython.shell import run_async
from edgelite_ports.micropython.unix import libc
from edgelite_ports.micropython.unix.agent import Agent
from edgelite_ports.micropython.unix.state import State

count = 0


async def other_work() -> None:
    global count
    while True:
        count += 1
        await asyncio.sleep(0.01)


async def main() -> None:
    agent = Agent(State(sys.argv[1]), Log(libc.write), None)
    agent.start()
    work = asyncio.create_task(other_work())
    await run_async(agent.shell, agent.loop)
    work.cancel()
    print("counted %d" % count)  # noqa: T201


asyncio.run(main())
