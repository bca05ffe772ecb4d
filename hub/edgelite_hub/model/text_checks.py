"""Kubernetes' rules for names, labels, keys and quantities, each as a check that says what is wrong, "" for nothing."""

from __future__ import annotations

import base64
import binascii
import re

from edgelite_hub.compiler.artifact_names import HOST_IMAGE, parse_image
from edgelite_hub.model.objects import is_object_name, parse_rfc3339

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # stricter than Kubernetes: a node's shell hands it on
_QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")
_FIELD_PATH = re.compile(
    r"metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)"
)


def subdomain(text: str) -> str:
    if is_object_name(text):
        return ""
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character, at most 253 in all"
    )


def label(text: str) -> str:
    if len(text) <= 63 and _LABEL.fullmatch(text):
        return ""
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character, at most 63 in all"
    )


def label_key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if (not slash or is_object_name(prefix)) and 0 < len(name) <= 63 and _LABEL_VALUE.fullmatch(name):
        return ""
    return "must be a name of at most 63 alphanumeric characters, '-', '_' or '.', with an optional DNS prefix and '/'"


def label_value(text: str) -> str:
    if len(text) <= 63 and _LABEL_VALUE.fullmatch(text):
        return ""
    return "a label's value must be at most 63 alphanumeric characters, '-', '_' or '.', alphanumeric at both ends"


def data_key(text: str) -> str:
    if len(text) <= 253 and _DATA_KEY.fullmatch(text) and text not in (".", ".."):
        return ""
    return "a key must consist of alphanumeric characters, '-', '_' or '.', at most 253 in all"


def variable_name(text: str) -> str:
    return "" if _VARIABLE.fullmatch(text) else "a variable's name must be letters, digits and '_', no digit first"


def base64_text(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "must be base64"
    return ""


def quantity(text: str) -> str:
    return "" if _QUANTITY.fullmatch(text) else "must be a quantity such as 64Mi or 250m"


def field_path(text: str) -> str:
    if _FIELD_PATH.fullmatch(text):
        return ""
    return "supported are metadata.name, .namespace, .uid, .labels['key'], .annotations['key'] and spec.nodeName"


def image(text: str) -> str:
    if text == HOST_IMAGE or parse_image(text) is not None:
        return ""
    return "must be name:tag or name@sha256:<64 hex> of a pushed artifact, or host for what is installed on the node"


def inside_path(text: str) -> str:
    """A relative path that stays below where it starts."""
    if not text or text.startswith("/") or ".." in text.split("/"):
        return "must be a relative path without '..'"
    return "" if "\0" not in text else "must not hold a zero byte"


def mount_path(text: str) -> str:
    if not text or ".." in text.split("/") or ":" in text or "\0" in text:
        return "must be a path without '..' and ':'"
    return ""


def time(text: str) -> str:
    try:
        parse_rfc3339(text)
    except ValueError:
        return "must be an RFC 3339 time such as 2030-01-01T00:00:00Z"
    return ""


def plain(text: str) -> str:
    """No zero byte, which no program can take in an argument or a variable."""
    return "" if "\0" not in text else "must not hold a zero byte"


def decimal(text: str) -> str:
    return "" if _DECIMAL.fullmatch(text) else "must be a decimal number"


def not_negative(text: str) -> str:
    return decimal(text) or ("must not be negative" if text.startswith("-") and float(text) < 0 else "")


def whole(text: str) -> str:
    return "" if _WHOLE.fullmatch(text) else "must be a whole number"
