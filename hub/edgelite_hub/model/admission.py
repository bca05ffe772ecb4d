"""From a request's body to an object of a kind: typed, defaulted, or refused with every fault named."""

from __future__ import annotations

from typing import Any

from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind
from edgelite_hub.model.status import Cause, StatusError, bad_request, invalid, invalid_value
from edgelite_hub.model.validation import Report, clean

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
UNKNOWN_FIELDS_MAX = 20  # named in one answer


def admit(kind: Kind, body: Any, field_validation: str, for_status: bool = False) -> tuple[Object, list[str]]:
    """The cleaned object and the warnings that go with the answer. An unknown field is refused (Strict), left out with
    a warning (Warn, the default as in Kubernetes) or left out (Ignore). StatusError 400 or 422.

    A status that is written apart counts only where it is written (`for_status`); elsewhere it is not even looked at.
    """
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    if kind.status and not for_status:
        body = {key: part for key, part in body.items() if key != "status"}
    _check_type(kind, body)
    report = Report()
    value: Object = clean(kind.schema, body, "", report)
    unknown = report.unknown[:UNKNOWN_FIELDS_MAX]
    if unknown and field_validation == STRICT:
        raise _unknown_fields(kind, unknown)
    if report.causes:
        raise invalid(kind.kind, kind.group, _name_of(body), report.causes)
    value |= {"apiVersion": kind.api_version, "kind": kind.kind}
    return value, [f'unknown field "{path}"' for path in unknown] if field_validation == WARN else []


def _check_type(kind: Kind, body: dict[str, Any]) -> None:
    """Both words may be left out, as typed clients do; what is given must be right."""
    for name, wanted in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        given = body.get(name)
        if given not in (None, "", wanted):
            cause = invalid_value(name, given, f'this path takes "{wanted}"')
            raise bad_request(f"the {name} in the data does not match the expected {name} ({wanted})", [cause])


def _unknown_fields(kind: Kind, unknown: list[str]) -> StatusError:
    causes = [Cause(path, "FieldValueInvalid", f'unknown field "{path}"') for path in unknown]
    texts = ", ".join(cause.message for cause in causes)
    message = (
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {texts}'
    )
    return bad_request(message, causes)


def _name_of(body: dict[str, Any]) -> str:
    metadata = body.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
