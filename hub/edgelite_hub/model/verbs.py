"""The writing verbs, generic over kinds: create, update, delete, and what a node's confirmation does.

Pure functions of a transaction and the time; the API calls them, and so may controllers. They raise StatusError.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelite_hub.kinds.core import DEFAULT_NAMESPACE
from edgelite_hub.model.objects import Object, is_terminating, make_uid, rfc3339
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.status import already_exists, bad_request, conflict, invalid, not_found, required
from edgelite_hub.model.strategy import Operation
from edgelite_hub.store.contract import AlreadyExists, Conflict

GENERATED_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, so no words
GENERATED_LENGTH = 5
GENERATED_TRIES = 8  # of 14 million names
_GIVEN_METADATA = ("name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
_KEPT_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName")
_NOT_DESIRED = ("apiVersion", "kind", "metadata", "status")

BACKGROUND, FOREGROUND, ORPHAN = "Background", "Foreground", "Orphan"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace_seconds: int | None = None
    propagation: str = BACKGROUND  # FOREGROUND is done as BACKGROUND: the owner goes first
    uid: str | None = None
    revision: str | None = None


class Verbs:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    # ---- create
    def create(self, kind: Kind, operation: Operation, namespace: str, value: Object) -> Object:
        new = self._fresh(kind, operation, namespace, value)
        for prepare in kind.strategy.prepare:
            prepare(operation, new, None)
        self._validate(kind, operation, new, None)
        name = new["metadata"]["name"]
        try:
            return operation.transaction.create(kind.resource, namespace, name, new)
        except AlreadyExists as error:
            raise already_exists(kind.plural, kind.group, name) from error

    def _fresh(self, kind: Kind, operation: Operation, namespace: str, value: Object) -> Object:
        given = value["metadata"]
        if given.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        metadata = {key: given[key] for key in _GIVEN_METADATA if given.get(key)}
        self._place(kind, operation, namespace, metadata)
        metadata["name"] = self._name(kind, operation, namespace, metadata)
        metadata["uid"] = make_uid(operation.random_bytes)
        metadata["creationTimestamp"] = rfc3339(operation.now_ms)
        if kind.generation:
            metadata["generation"] = 1
        new = {**value, "metadata": metadata}
        new.pop("status", None)
        if kind.status or kind.stored_status:
            new["status"] = copy.deepcopy(kind.stored_status)
        return new

    def _place(self, kind: Kind, operation: Operation, namespace: str, metadata: Object) -> None:
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not kind.namespaced:
            return
        metadata["namespace"] = namespace
        if namespace != DEFAULT_NAMESPACE and operation.transaction.get("namespaces", "", namespace) is None:
            raise not_found("namespaces", "", namespace)

    def _name(self, kind: Kind, operation: Operation, namespace: str, metadata: Object) -> str:
        if metadata.get("name"):
            return str(metadata["name"])
        base = metadata.get("generateName")
        if not base:
            cause = required("metadata.name", "name or generateName is required")
            raise invalid(kind.kind, kind.group, "", [cause])
        for _ in range(GENERATED_TRIES):
            letters = operation.random_bytes(GENERATED_LENGTH)
            name = str(base) + "".join(GENERATED_LETTERS[byte % len(GENERATED_LETTERS)] for byte in letters)
            if operation.transaction.get(kind.resource, namespace, name) is None:
                return name
        raise already_exists(kind.plural, kind.group, str(base))

    def _validate(self, kind: Kind, operation: Operation, new: Object, old: Object | None) -> None:
        causes = [cause for check in kind.strategy.validate for cause in check(operation, new, old)]
        if causes:
            raise invalid(kind.kind, kind.group, new["metadata"]["name"], causes)

    # ---- update
    def get(self, kind: Kind, operation: Operation, namespace: str, name: str) -> Object:
        value = operation.transaction.get(kind.resource, namespace, name)
        if value is None:
            raise not_found(kind.plural, kind.group, name)
        return value

    def replace(self, kind: Kind, operation: Operation, namespace: str, name: str, value: Object) -> Object:
        return self._update(kind, operation, self.get(kind, operation, namespace, name), value)

    def replace_status(self, kind: Kind, operation: Operation, namespace: str, name: str, value: Object) -> Object:
        old = self.get(kind, operation, namespace, name)
        self._check_identity(kind, value, old)
        new = {**old, "status": value.get("status") or {}}
        return self._write(kind, operation, new, value["metadata"].get("resourceVersion"))

    def patch(
        self,
        kind: Kind,
        operation: Operation,
        namespace: str,
        name: str,
        change: Callable[[Object], Object],
        status: bool,
    ) -> Object:
        """`change` gives the patched and admitted object. Where the patch names a resourceVersion, it is honoured."""
        value = change(self.get(kind, operation, namespace, name))
        write = self.replace_status if status else self.replace
        return write(kind, operation, namespace, name, value)

    def _update(self, kind: Kind, operation: Operation, old: Object, value: Object) -> Object:
        self._check_identity(kind, value, old)
        new = {**value, "metadata": self._kept_metadata(value["metadata"], old["metadata"])}
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
        for prepare in kind.strategy.prepare:
            prepare(operation, new, old)
        self._validate(kind, operation, new, old)
        if kind.generation and _desired(new) != _desired(old):
            new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1
        stored = self._write(kind, operation, new, value["metadata"].get("resourceVersion"))
        if is_terminating(stored) and self._may_go(kind, operation, stored):
            return self._finish(kind, operation, stored, BACKGROUND)
        return stored

    def _check_identity(self, kind: Kind, value: Object, old: Object) -> None:
        given, kept = value["metadata"], old["metadata"]
        name = kept["name"]
        for key in ("name", "namespace"):
            if given.get(key) not in (None, "", kept.get(key)):
                raise bad_request(
                    f"the {key} of the object ({given[key]}) does not match the {key} on the URL ({name})"
                )
        if given.get("uid") not in (None, "", kept["uid"]):
            message = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {kept['uid']}"
            raise conflict(kind.plural, kind.group, name, message)

    def _kept_metadata(self, given: Object, kept: Object) -> Object:
        metadata = {key: given[key] for key in _GIVEN_METADATA if given.get(key)}
        metadata |= {"name": kept["name"]}
        for key in ("namespace", "generation", *_KEPT_METADATA):
            metadata.pop(key, None)
            if key in kept:
                metadata[key] = kept[key]
        if kept.get("deletionTimestamp"):  # a dying object gets no new reason to stay
            old = kept.get("finalizers") or []
            metadata["finalizers"] = [one for one in metadata.get("finalizers") or [] if one in old]
        return metadata

    def _write(self, kind: Kind, operation: Operation, new: Object, given_revision: str | None) -> Object:
        metadata = new["metadata"]
        if given_revision and not (given_revision.isascii() and given_revision.isdecimal()):
            raise bad_request(f"invalid resourceVersion {given_revision!r}")
        expected = int(given_revision) if given_revision else None
        try:
            return operation.transaction.update(
                kind.resource, metadata.get("namespace", ""), metadata["name"], new, expected
            )
        except Conflict as error:
            message = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(kind.plural, kind.group, metadata["name"], message) from error

    # ---- delete
    def delete(
        self, kind: Kind, operation: Operation, namespace: str, name: str, options: DeleteOptions
    ) -> tuple[Object, bool]:
        """The object as it is now, and whether it is gone. It stays, Terminating, while a finalizer or its node holds
        it; `grace_seconds` 0 does not wait for the node."""
        value = self.get(kind, operation, namespace, name)
        _check_preconditions(kind, value, options)
        for before_delete in kind.strategy.before_delete:
            before_delete(operation, value)
        grace_seconds = self._grace_seconds(kind, operation, value, options)
        if grace_seconds == 0 and not value["metadata"].get("finalizers"):
            return self._finish(kind, operation, value, options.propagation), True
        return self._mark(kind, operation, value, grace_seconds), False

    def _grace_seconds(self, kind: Kind, operation: Operation, value: Object, options: DeleteOptions) -> int:
        """0 where nobody must confirm."""
        waits = kind.strategy.waits_for_node
        if waits is None or not waits(operation, value):
            return 0
        if options.grace_seconds is not None:
            return max(options.grace_seconds, 0)
        return max(int(value["spec"].get("terminationGracePeriodSeconds") or 0), 1)

    def _mark(self, kind: Kind, operation: Operation, value: Object, grace_seconds: int) -> Object:
        """Terminating. Who asks again can shorten the grace, never lengthen it."""
        metadata = value["metadata"]
        held = metadata.get("deletionGracePeriodSeconds")
        if is_terminating(value) and held is not None and grace_seconds >= int(held):
            return value
        metadata["deletionTimestamp"] = rfc3339(operation.now_ms + grace_seconds * 1000)
        metadata["deletionGracePeriodSeconds"] = grace_seconds
        if kind.generation:
            metadata["generation"] = int(metadata.get("generation") or 0) + 1
        return self._write(kind, operation, value, None)

    def _may_go(self, kind: Kind, operation: Operation, value: Object) -> bool:
        if value["metadata"].get("finalizers"):
            return False
        waits = kind.strategy.waits_for_node
        forced = value["metadata"].get("deletionGracePeriodSeconds") == 0
        return forced or waits is None or not waits(operation, value)

    def confirm_gone(self, kind: Kind, operation: Operation, namespace: str, name: str, uid: str) -> bool:
        """A node says that nothing of this object runs any more. True where the object is gone now; what was not being
        deleted stays. What a finalizer holds is marked as Kubernetes marks it, with a grace of 0: then it goes with its
        last finalizer, and the node is not asked again."""
        value = operation.transaction.get(kind.resource, namespace, name)
        if value is None or value["metadata"].get("uid") != uid:
            return True
        if not is_terminating(value):
            return False
        if value["metadata"].get("finalizers"):
            self._mark(kind, operation, value, 0)
            return False
        self._finish(kind, operation, value, BACKGROUND)
        return True

    def _finish(self, kind: Kind, operation: Operation, value: Object, propagation: str) -> Object:
        metadata = value["metadata"]
        gone = operation.transaction.delete(kind.resource, metadata.get("namespace", ""), metadata["name"])
        for deleted in kind.strategy.deleted:
            deleted(operation, gone)
        for resource in kind.dependents:
            self._release(self.registry[resource], operation, gone, propagation)
        return gone

    def _release(self, kind: Kind, operation: Operation, owner: Object, propagation: str) -> None:
        """What the owner leaves behind: deleted with it, or left without it."""
        uid, namespace = owner["metadata"]["uid"], owner["metadata"].get("namespace", "")
        for value in list(operation.transaction.list(kind.resource, namespace)):
            owners = value["metadata"].get("ownerReferences") or []
            rest = [one for one in owners if one.get("uid") != uid]
            if len(rest) == len(owners):
                continue
            if propagation == ORPHAN or rest:
                metadata = {**value["metadata"], "ownerReferences": rest}
                self._write(kind, operation, {**value, "metadata": metadata}, None)
            elif not is_terminating(value):
                self.delete(kind, operation, namespace, value["metadata"]["name"], DeleteOptions())


def _desired(value: Object) -> dict[str, Any]:
    return {key: part for key, part in value.items() if key not in _NOT_DESIRED}


def _check_preconditions(kind: Kind, value: Object, options: DeleteOptions) -> None:
    metadata = value["metadata"]
    checks = (("UID", options.uid, metadata["uid"]), ("ResourceVersion", options.revision, metadata["resourceVersion"]))
    for word, wanted, found in checks:
        if wanted is not None and wanted != found:
            message = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
            raise conflict(kind.plural, kind.group, metadata["name"], message)


def ensure_default_namespace(registry: Registry, operation: Operation) -> None:
    kind = registry["namespaces"]
    if operation.transaction.get(kind.resource, "", DEFAULT_NAMESPACE) is None:
        Verbs(registry).create(kind, operation, "", {
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": DEFAULT_NAMESPACE}, "spec": {},
        })  # fmt: skip
