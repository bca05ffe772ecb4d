"""From HTTP to words: bodies, media types, query parameters. All of it is a client's, so all of it is checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from edgelite_hub.model import patch as patches
from edgelite_hub.model.admission import IGNORE, STRICT, WARN
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind
from edgelite_hub.model.status import bad_request, forbidden, invalid, invalid_value, too_large, unsupported_media
from edgelite_hub.model.validation import depth_exceeds
from edgelite_hub.model.verbs import BACKGROUND, FOREGROUND, ORPHAN, DeleteOptions
from edgelite_hub.security.authz import Subject, authorize

BODY_BYTES_MAX = 3 * 1024 * 1024  # Kubernetes' bound; a ConfigMap's megabyte in base64 fits
BODY_DEPTH_MAX = 64  # nothing that a kind takes is nested deeper; what handles it recurses
PROTOBUF = "application/vnd.kubernetes.protobuf"


def subject_of(request: Request) -> Subject:
    subject: Subject = request.scope["state"]["subject"]
    return subject


def require(
    subject: Subject,
    verb: str,
    kind: Kind,
    subresource: str,
    namespace: str,
    name: str | None,
    owner: str | None = None,
) -> None:
    """StatusError 403 unless the subject may."""
    resource = f"{kind.resource}/{subresource}" if subresource else kind.resource
    decision = authorize(subject, verb, resource, namespace, name, owner)
    if not decision:
        raise forbidden(kind.plural, kind.group, name or "", decision.reason)


# ---- bodies
async def read_body(request: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > bytes_max:
        raise too_large(bytes_max)
    chunks, size_bytes = [], 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > bytes_max:
            raise too_large(bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


def parse_json(body: bytes) -> Any:
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
        if b"\\ud" in body.lower():  # half of a surrogate pair is no character, and could be neither stored nor sent
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from error
    if depth_exceeds(value, BODY_DEPTH_MAX):
        raise bad_request(f"the body is nested deeper than {BODY_DEPTH_MAX} levels")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large for a number")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


async def json_body(request: Request) -> Any:
    kind = media_type(request)
    if kind != "application/json":
        raise unsupported_media(f"the body of the request was in an unsupported format ({kind}); use application/json")
    return parse_json(await read_body(request))


_PATCHES = {
    "application/merge-patch+json": lambda value, patch, kind: patches.merge_patch(value, patch),
    "application/json-patch+json": lambda value, patch, kind: patches.json_patch(value, patch),
    "application/strategic-merge-patch+json": (
        lambda value, patch, kind: patches.strategic_merge_patch(value, patch, kind.schema)
    ),
}


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that has been read; `apply` is run inside the transaction."""

    kind: Kind
    media_type: str
    body: Any

    def apply(self, value: Object) -> Any:
        return _PATCHES[self.media_type](value, self.body, self.kind)


async def patch_body(request: Request, kind: Kind) -> Patch:
    type_ = media_type(request)
    if type_ not in _PATCHES:
        raise unsupported_media(f"the patch type {type_} is not supported; supported are {', '.join(_PATCHES)}")
    body = parse_json(await read_body(request))
    if type_ != "application/json-patch+json" and not isinstance(body, dict):
        raise bad_request("the patch must be an object")
    return Patch(kind, type_, body)


# ---- query parameters
def flag(query: QueryParams, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def number(query: QueryParams, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise bad_request(f"the query parameter {name} must be a whole number, not {text[:40]!r}")
    return int(text)


def field_validation(query: QueryParams) -> str:
    value = query.get("fieldValidation", "") or WARN
    if value not in (STRICT, WARN, IGNORE):
        raise bad_request(f"fieldValidation must be {STRICT}, {WARN} or {IGNORE}")
    return value


def dry_run(query: QueryParams, body: Any = None) -> bool:
    given = query.getlist("dryRun") or (body.get("dryRun") if isinstance(body, dict) else None) or []
    if any(one != "All" for one in given):
        raise bad_request("dryRun must be All")
    return bool(given)


@dataclass(frozen=True, slots=True)
class ListOptions:
    labels: str
    fields: str
    limit: int | None
    continuation: str
    revision: int | None  # None: not given
    exact: bool  # the list must be that of `revision`
    not_older: bool
    send_initial: bool | None
    bookmarks: bool
    timeout_seconds: int | None


_MATCHES = ("", "NotOlderThan", "Exact")


def list_options(query: QueryParams) -> ListOptions:
    match = query.get("resourceVersionMatch", "")
    if match not in _MATCHES:
        raise bad_request(f"resourceVersionMatch must be one of {', '.join(_MATCHES[1:])}")
    send_initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    if send_initial is not None and match != "NotOlderThan":
        cause = invalid_value("sendInitialEvents", send_initial, "needs resourceVersionMatch=NotOlderThan")
        raise invalid("ListOptions", "meta.k8s.io", "", [cause])
    revision = number(query, "resourceVersion")
    if match == "Exact" and not revision:
        raise bad_request("resourceVersionMatch=Exact needs a resourceVersion other than 0")
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=number(query, "limit") or None,
        continuation=query.get("continue", ""),
        revision=revision,
        exact=match == "Exact",
        not_older=match == "NotOlderThan",
        send_initial=send_initial,
        bookmarks=flag(query, "allowWatchBookmarks"),
        timeout_seconds=number(query, "timeoutSeconds"),
    )


_POLICIES = (BACKGROUND, FOREGROUND, ORPHAN)


async def delete_options(request: Request) -> tuple[DeleteOptions, bool]:
    """From the body (DeleteOptions) or the query; and whether it is a dry run."""
    raw = await read_body(request)
    if raw and media_type(request) != "application/json":
        raise unsupported_media(f"DeleteOptions must be application/json, not {media_type(request)}")
    body = parse_json(raw) if raw else {}
    if not isinstance(body, dict):
        raise bad_request("DeleteOptions must be an object")
    query = request.query_params
    grace = body.get("gracePeriodSeconds")
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or query.get("propagationPolicy") or BACKGROUND
    if body.get("orphanDependents"):
        policy = ORPHAN
    _check_delete(grace, preconditions, policy)
    return (
        DeleteOptions(
            grace_seconds=number(query, "gracePeriodSeconds") if grace is None else grace,
            propagation=policy,
            uid=preconditions.get("uid"),
            revision=preconditions.get("resourceVersion"),
        ),
        dry_run(query, body),
    )


def _check_delete(grace: Any, preconditions: Any, policy: Any) -> None:
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int) or grace < 0):
        raise bad_request("gracePeriodSeconds must be a whole number")
    if policy not in _POLICIES:
        raise bad_request(f"propagationPolicy must be one of {', '.join(_POLICIES)}")
    texts = [preconditions.get(key) for key in ("uid", "resourceVersion")] if isinstance(preconditions, dict) else [0]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise bad_request("preconditions must be an object of uid and resourceVersion, both text")
