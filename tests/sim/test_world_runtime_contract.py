"""Simulated processes keep the contract of every runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from node_parts import Machine, workload

from edgelite_ports.testing import runtime_contract as contract

COMMANDS = {
    contract.RUNS: ("sim", "runs"),
    contract.ENDS_WELL: ("sim", "exits", "--after", "50ms"),
    contract.FAILS: ("sim", "exits", "--after", "50ms", "--code", "7"),
    contract.RESISTS: ("sim", "ignores-sigterm"),
    contract.MISSING: ("sim", "missing"),
}


class World(Machine):
    def desire(self, behaviour: Any, policy: str = "Always", grace_ms: int = 0) -> None:
        form = None if behaviour is None else workload(*COMMANDS[behaviour], policy=policy, grace_ms=grace_ms)
        super().desire(form)


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_the_contract_of_runtimes(check: Callable[[Any], None]) -> None:
    check(World())
