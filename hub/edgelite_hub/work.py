"""One transaction that logic asks for, and what follows its commit: how logic without I/O uses a store.

Who runs it (node_server.py, background_loop.py, or a simulator) calls `run` inside a transaction and `done` with its
result once that is durable. A ProtocolError from `run` of a peer's work ends the peer's session with its code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelite_hub.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Work:
    run: Callable[[Transaction], Any]
    done: Callable[[Any, int], None]  # (result, now_ms)
    reads_only: bool = False
    failed: Callable[[Any, int], None] | None = None  # (error, now_ms): instead of the plain end of the session
