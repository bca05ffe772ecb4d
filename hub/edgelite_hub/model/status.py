"""Kubernetes' Status objects: every error of the API as one exception with a code, a reason and its causes.

Codes, reasons and words are those of Kubernetes' API (meta/v1 Status), because its clients act upon them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CAUSES_MAX = 50  # of one answer: enough to mend a manifest by, and no megabyte of complaints about one of garbage


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with one field. `field` is a path such as spec.containers[0].image."""

    field: str
    reason: str  # FieldValueRequired, FieldValueInvalid, …
    message: str


class StatusError(Exception):
    """An answer that is not a success. `headers` go with it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def success(details: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


# ---- causes of an invalid object
def required(field: str, message: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", "Required value" + (f": {message}" if message else ""))


def invalid_value(field: str, value: object, message: str) -> Cause:
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {message}")


def wrong_type(field: str, value: object, wanted: str) -> Cause:
    return Cause(field, "FieldValueTypeInvalid", f"Invalid value: {_shown(value)}: must be {wanted}")


def not_supported(field: str, value: object, supported: Sequence[str]) -> Cause:
    names = ", ".join(f'"{name}"' for name in supported)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {names}")


def forbidden_value(field: str, message: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {message}")


def duplicate(field: str, value: object) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def not_found_value(field: str, value: object) -> Cause:
    return Cause(field, "FieldValueNotFound", f"Not found: {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value)
    text = text if len(text) <= 100 else text[:97] + "..."
    return f'"{text}"' if isinstance(value, str) else text


# ---- errors
def bad_request(message: str, causes: Sequence[Cause] = ()) -> StatusError:
    return StatusError(400, "BadRequest", message, {"causes": _causes(causes)} if causes else None)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return StatusError(401, "Unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def forbidden(resource: str, group: str, name: str, message: str) -> StatusError:
    what = qualified(resource, group)
    what += f' "{name}"' if name else ""
    return StatusError(403, "Forbidden", f"{what} is forbidden: {message}", _details(group, resource, name))


def not_found(resource: str, group: str, name: str) -> StatusError:
    message = f'{qualified(resource, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(group, resource, name))


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed(method: str) -> StatusError:
    return StatusError(405, "MethodNotAllowed", f"the server does not allow {method} on the requested resource")


def already_exists(resource: str, group: str, name: str) -> StatusError:
    message = f'{qualified(resource, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(group, resource, name))


def conflict(resource: str, group: str, name: str, message: str) -> StatusError:
    text = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {message}'
    return StatusError(409, "Conflict", text, _details(group, resource, name))


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_large(limit_bytes: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"the request is larger than {limit_bytes} bytes")


def unsupported_media(message: str) -> StatusError:
    return StatusError(415, "UnsupportedMediaType", message)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> StatusError:
    texts = [f"{cause.field}: {cause.message}" for cause in causes[:CAUSES_MAX]]
    errors = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    subject = f'{kind}.{group} "{name}"' if group else f'{kind} "{name}"'
    details = _details(group, kind, name) | {"causes": _causes(causes)}
    return StatusError(422, "Invalid", f"{subject} is invalid: {errors}", details)


def too_many(message: str, retry_after_seconds: int) -> StatusError:
    details = {"retryAfterSeconds": retry_after_seconds}
    return StatusError(429, "TooManyRequests", message, details, {"Retry-After": str(retry_after_seconds)})


def internal(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")


def future_revision(wanted: int, current: int) -> StatusError:
    cause = Cause("", "ResourceVersionTooLarge", "Too large resource version")
    message = f"Too large resource version: {wanted}, current: {current}"
    return StatusError(504, "Timeout", message, {"causes": _causes([cause]), "retryAfterSeconds": 1})


def qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(group: str, kind: str, name: str) -> dict[str, Any]:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def _causes(causes: Sequence[Cause]) -> list[dict[str, str]]:
    rows = []
    for cause in causes[:CAUSES_MAX]:
        row = {"reason": cause.reason, "message": cause.message, "field": cause.field}
        rows.append({key: value for key, value in row.items() if value})
    return rows
