"""What is particular to a kind: hooks that the generic verbs call. A part of the hub adds its own to a kind's lists.

Hooks run inside the transaction of the request. They may change the object they are given and may raise StatusError;
a validation answers causes, which are collected into one 422.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgelite_hub.model.objects import Object
from edgelite_hub.model.status import Cause
from edgelite_hub.security.authz import Subject
from edgelite_hub.store.contract import Transaction

WARNINGS_MAX = 20  # of one answer: they travel in a header


@dataclass(slots=True)
class Operation:
    """One request as hooks see it. `answer_status` is merged into the status of the answer and is not stored: what is
    shown once, such as a join token."""

    transaction: Transaction
    subject: Subject
    now_ms: int
    random_bytes: Callable[[int], bytes] = os.urandom
    answer_status: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)  # go with the answer; a request that is refused has none

    def warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(text)


Prepare = Callable[[Operation, Object, Object | None], None]  # new, old (None when it is created)
Validate = Callable[[Operation, Object, Object | None], list[Cause]]
Delete = Callable[[Operation, Object], None]
Holds = Callable[[Operation, Object], bool]


@dataclass(slots=True)
class Strategy:
    """Order on create and update: `prepare`, then all of `validate`, then the store. On deletion: `before_delete` when
    it is asked for (it may refuse), `deleted` when the object goes. `waits_for_node` says whether a deletion must wait
    until a node confirms."""

    prepare: list[Prepare] = field(default_factory=list)
    validate: list[Validate] = field(default_factory=list)
    before_delete: list[Delete] = field(default_factory=list)
    deleted: list[Delete] = field(default_factory=list)
    waits_for_node: Holds | None = None
