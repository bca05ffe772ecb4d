"""What this side of the hub adds to the registry's kinds."""

from __future__ import annotations

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import JOIN_TOKENS, Object
from edgelite_hub.model.registry import Registry
from edgelite_hub.model.status import Cause, invalid
from edgelite_hub.model.strategy import Operation
from edgelite_hub.security import tokens


def install(registry: Registry, environment: Environment) -> None:
    fingerprint = environment.authority.fingerprint

    def prepare_token(operation: Operation, new: Object, old: Object | None) -> None:
        if old is not None:
            return
        try:
            text = tokens.prepare(operation.transaction, new, fingerprint, operation.now_ms, operation.random_bytes)
        except tokens.InvalidToken as error:
            cause = Cause(error.path, "FieldValueInvalid", error.text)
            name = str(new["metadata"].get("name", ""))
            raise invalid("JoinToken", "edgelite.dev", name, [cause]) from error
        operation.answer_status["token"] = text

    def revoke_token(operation: Operation, value: Object) -> None:
        identifier = (value.get("status") or {}).get("id")
        if identifier:
            tokens.revoke(operation.transaction, identifier)

    strategy = registry[JOIN_TOKENS].strategy
    strategy.prepare.append(prepare_token)
    strategy.deleted.append(revoke_token)
