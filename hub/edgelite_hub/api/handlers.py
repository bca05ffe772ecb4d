"""The generic handler: from a method and a path to a verb on a kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edgelite_hub.api import requests
from edgelite_hub.api.errors import json_response
from edgelite_hub.api.hub import Hub
from edgelite_hub.api.lists import list_page
from edgelite_hub.api.paths import Target, parse
from edgelite_hub.api.requests import field_validation, list_options, require, subject_of
from edgelite_hub.api.tables import table, wants_table
from edgelite_hub.api.watches import Scope, Watches
from edgelite_hub.model.admission import admit
from edgelite_hub.model.objects import Object, node_of
from edgelite_hub.model.registry import Kind
from edgelite_hub.model.selectors import Selector, parse_selector
from edgelite_hub.model.status import bad_request, method_not_allowed, success
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import DeleteOptions, Verbs, ensure_default_namespace
from edgelite_hub.security.authz import ADMIN, NODE, Subject
from edgelite_hub.store.contract import Transaction

T = TypeVar("T")
Handler = Callable[[Request, Target], Awaitable[Response]]
BOUND_TO_NODES = ("pods", "devices.devices.kubeedge.io")
COLLECTION_DELETE_MAX = 5000  # objects that one request deletes in one transaction


_THE_HUB = Subject(ADMIN, "hub")


class DryRun(Exception):
    """Carries the answer out of a transaction that is rolled back."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class Handlers:
    def __init__(self, hub: Hub, watches: Watches) -> None:
        self._hub = hub
        self._registry = hub.registry
        self._verbs = Verbs(hub.registry)
        self._watches = watches
        self._prepared = False
        # (method, whether the path names one object): the verb as authorization knows it, the handler
        self._table: dict[tuple[str, bool], tuple[str, Handler]] = {
            ("GET", True): ("get", self._get),
            ("GET", False): ("list", self._list),
            ("POST", False): ("create", self._create),
            ("PUT", True): ("update", self._replace),
            ("PATCH", True): ("patch", self._patch),
            ("DELETE", True): ("delete", self._delete),
            ("DELETE", False): ("deletecollection", self._delete_collection),
        }

    async def handle(self, request: Request) -> Response:
        names = request.path_params
        target = parse(self._registry, names.get("group", ""), names["version"], names["rest"])
        method = "GET" if request.method == "HEAD" else request.method
        if method != "GET" and target.kind.namespaced and target.namespace is None:
            raise method_not_allowed(method)
        verb, handler = self._table.get((method, target.name is not None), ("", None))
        if verb == "list" and requests.flag(request.query_params, "watch"):
            verb, handler = "watch", self._watch
        if handler is None or not _serves(target, verb):
            raise method_not_allowed(method)
        await self._authorize(request, target, verb)
        await self._prepare()
        return await handler(request, target)

    async def _authorize(self, request: Request, target: Target, verb: str) -> None:
        subject, kind = subject_of(request), target.kind
        owner = None
        if subject.kind == NODE and kind.resource in BOUND_TO_NODES:
            owner = await self._owner(request, target)
        require(subject, verb, kind, target.subresource, target.namespace or "", target.name, owner)

    async def _owner(self, request: Request, target: Target) -> str | None:
        """The node that the object is bound to, or that a list is restricted to."""
        kind, name = target.kind, target.name
        if name is None:
            return _selector(request, kind).field_value("spec.nodeName")
        value = await self._hub.writer.read(lambda tx: tx.get(kind.resource, target.namespace or "", name))
        return node_of(value) if value is not None else None

    async def _prepare(self) -> None:
        """What every hub has from its first request on."""
        if not self._prepared:
            await self._hub.writer.transact(lambda tx: ensure_default_namespace(self._registry, self._operation(tx)))
            self._prepared = True

    def _operation(self, transaction: Transaction, request: Request | None = None) -> Operation:
        subject = subject_of(request) if request is not None else _THE_HUB
        return Operation(transaction, subject, self._hub.now_ms())

    # ---- reading
    async def _get(self, request: Request, target: Target) -> Response:
        value = await self._hub.writer.read(
            lambda tx: self._verbs.get(target.kind, self._operation(tx, request), target.namespace or "", _name(target))
        )
        if wants_table(request):
            return json_response(self._table_of(request, target.kind, [value], {}))
        return json_response(value)

    async def _list(self, request: Request, target: Target) -> Response:
        kind = target.kind
        page = await list_page(
            self._hub.writer, kind, target.namespace, _selector(request, kind), list_options(request.query_params)
        )
        metadata = {"resourceVersion": str(page.revision)}
        if page.continuation:
            metadata["continue"] = page.continuation
        if wants_table(request):
            return json_response(self._table_of(request, kind, page.items, metadata))
        return json_response(_list_object(kind, page.items, metadata))

    async def _watch(self, request: Request, target: Target) -> Response:
        kind = target.kind
        options = list_options(request.query_params)
        render = partial(self._row, request, kind) if wants_table(request) else _plain
        scope = Scope(kind, target.namespace, _selector(request, kind), options, render)
        return StreamingResponse(self._watches.stream(scope), media_type="application/json")

    def _row(self, request: Request, kind: Kind, value: Object) -> Any:
        return self._table_of(request, kind, [value], {"resourceVersion": value["metadata"]["resourceVersion"]})

    def _table_of(self, request: Request, kind: Kind, items: list[Object], metadata: dict[str, Any]) -> Any:
        include = request.query_params.get("includeObject", "Metadata")
        return table(kind, items, self._hub.now_ms(), include, metadata)

    # ---- writing
    async def _create(self, request: Request, target: Target) -> Response:
        kind = target.kind
        body = await requests.json_body(request)
        value, warnings = admit(kind, body, field_validation(request.query_params))

        def create(operation: Operation) -> Object:
            created = self._verbs.create(kind, operation, target.namespace or "", value)
            warnings.extend(operation.warnings)
            return _answered(created, operation)

        created = await self._transact(request, create, requests.dry_run(request.query_params))
        return json_response(created, 201, _warnings(warnings))

    async def _replace(self, request: Request, target: Target) -> Response:
        kind = target.kind
        body = await requests.json_body(request)
        status = bool(target.subresource)
        value, warnings = admit(kind, body, field_validation(request.query_params), status)
        write = self._verbs.replace_status if status else self._verbs.replace

        def replace(operation: Operation) -> Object:
            replaced = write(kind, operation, target.namespace or "", _name(target), value)
            warnings.extend(operation.warnings)
            return replaced

        stored = await self._transact(request, replace, requests.dry_run(request.query_params))
        return json_response(stored, 200, _warnings(warnings))

    async def _patch(self, request: Request, target: Target) -> Response:
        kind = target.kind
        patch = await requests.patch_body(request, kind)
        validation = field_validation(request.query_params)
        status = bool(target.subresource)
        warnings: list[str] = []

        def change(value: Object) -> Object:
            patched, warnings[:] = admit(kind, patch.apply(value), validation, status)
            return patched

        def apply(operation: Operation) -> Object:
            patched = self._verbs.patch(kind, operation, target.namespace or "", _name(target), change, status)
            warnings.extend(operation.warnings)
            return patched

        stored = await self._transact(request, apply, requests.dry_run(request.query_params))
        return json_response(stored, 200, _warnings(warnings))

    async def _delete(self, request: Request, target: Target) -> Response:
        kind = target.kind
        options, dry = await requests.delete_options(request)

        def delete(operation: Operation) -> tuple[Object, bool]:
            return self._verbs.delete(kind, operation, target.namespace or "", _name(target), options)

        value, gone = await self._transact(request, delete, dry)
        if gone and kind.strategy.waits_for_node is None:
            metadata = value["metadata"]
            details = {"name": metadata["name"], "group": kind.group, "kind": kind.plural, "uid": metadata["uid"]}
            return json_response(success({key: text for key, text in details.items() if text}))
        return json_response(value)

    async def _delete_collection(self, request: Request, target: Target) -> Response:
        kind = target.kind
        selector = _selector(request, kind)
        options, dry = await requests.delete_options(request)

        def delete(operation: Operation) -> list[Object]:
            return self._delete_all(kind, operation, target.namespace, selector, options)

        items = await self._transact(request, delete, dry)
        metadata = {"resourceVersion": str(self._hub.writer.store.revision())}
        return json_response(_list_object(kind, items, metadata))

    def _delete_all(
        self, kind: Kind, operation: Operation, namespace: str | None, selector: Selector, options: DeleteOptions
    ) -> list[Object]:
        found = [item for item in operation.transaction.list(kind.resource, namespace) if selector.matches(item)]
        if len(found) > COLLECTION_DELETE_MAX:
            raise bad_request(f"more than {COLLECTION_DELETE_MAX} objects match: delete them in parts")
        return [
            self._verbs.delete(kind, operation, one["metadata"].get("namespace", ""), one["metadata"]["name"], options)[
                0
            ]
            for one in found
        ]

    async def _transact(self, request: Request, function: Callable[[Operation], T], dry: bool) -> T:
        def run(transaction: Transaction) -> T:
            answer = function(self._operation(transaction, request))
            if dry:
                raise DryRun(answer)
            return answer

        try:
            return await self._hub.writer.transact(run)
        except DryRun as end:
            answer: T = end.answer
            return answer


def _serves(target: Target, verb: str) -> bool:
    if target.subresource:
        return verb in ("get", "update", "patch")
    return verb in target.kind.verbs


def _name(target: Target) -> str:
    return target.name or ""


def _selector(request: Request, kind: Kind) -> Selector:
    options = list_options(request.query_params)
    return parse_selector(options.labels, options.fields, kind.resource)


def _plain(value: Object) -> Any:
    return value


def _list_object(kind: Kind, items: list[Object], metadata: dict[str, Any]) -> dict[str, Any]:
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def _answered(value: Object, operation: Operation) -> Object:
    if not operation.answer_status:
        return value
    return {**value, "status": {**(value.get("status") or {}), **operation.answer_status}}


def _warnings(texts: list[str]) -> dict[str, str]:
    # A header takes printable ASCII only, and what a warning quotes may be anybody's.
    printable = ("".join(one if " " <= one <= "~" else "?" for one in text) for text in texts)
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in printable)
    return {"Warning": ", ".join(f'299 - "{text}"' for text in quoted)} if texts else {}
