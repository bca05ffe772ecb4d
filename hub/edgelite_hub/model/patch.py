"""The three patches that clients send: merge (RFC 7396), JSON (RFC 6902) and Kubernetes' strategic merge.

All of them take the object and the patch and give a new object; what they were given stays as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from edgelite_hub.model.schema import Sequence, Struct, Type
from edgelite_hub.model.status import StatusError, bad_request

JSON_PATCH_STEPS_MAX = 1000


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396. It recurses as deep as the patch, which whoever parsed it has bounded."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


# ---- strategic merge
_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(target: Any, patch: Any, type_: Type) -> Any:
    """Like a merge patch, but lists whose schema names a merge key are merged item by item. The directives: $patch
    (delete, replace), $retainKeys, $deleteFromPrimitiveList, $setElementOrder."""
    if isinstance(patch, dict) and isinstance(type_, Struct):
        return _merge_struct(target if isinstance(target, dict) else {}, patch, type_)
    if isinstance(patch, list) and isinstance(type_, Sequence) and type_.merge_key:
        return _merge_items(target if isinstance(target, list) else [], patch, type_)
    return merge_patch(target, patch)


def _merge_struct(target: dict[str, Any], patch: dict[str, Any], type_: Struct) -> dict[str, Any]:
    if patch.get(_PATCH) == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != _PATCH}
    merged = dict(target)
    if isinstance(patch.get(_RETAIN_KEYS), list):
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN_KEYS]}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(merged, key.removeprefix(_DELETE_FROM), value)
        elif key.startswith("$"):
            continue
        elif value is None or (isinstance(value, dict) and value.get(_PATCH) == "delete"):
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge_patch(merged.get(key), value, type_.fields.get(key, Type()))
    _set_orders(merged, patch, type_)
    return merged


def _delete_from(merged: dict[str, Any], key: str, values: Any) -> None:
    if isinstance(merged.get(key), list) and isinstance(values, list):
        merged[key] = [one for one in merged[key] if one not in values]


def _merge_items(target: list[Any], patch: list[Any], type_: Sequence) -> list[Any]:
    key = type_.merge_key
    if any(isinstance(one, dict) and one.get(_PATCH) == "replace" and key not in one for one in patch):
        return [copy.deepcopy(one) for one in patch if isinstance(one, dict) and key in one]
    merged = list(target)
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise bad_request(f"strategic merge patch: an item of a list has no {key}, by which the list is merged")
        place = _place(merged, key, one[key])
        if one.get(_PATCH) == "delete":
            merged = [item for item in merged if not (isinstance(item, dict) and item.get(key) == one[key])]
        elif place is None:
            merged.append(strategic_merge_patch({}, one, type_.item))
        else:
            merged[place] = strategic_merge_patch(merged[place], one, type_.item)
    return merged


def _place(items: list[Any], key: str, value: Any) -> int | None:
    return next((n for n, item in enumerate(items) if isinstance(item, dict) and item.get(key) == value), None)


def _set_orders(merged: dict[str, Any], patch: dict[str, Any], type_: Struct) -> None:
    """Items that the order does not name keep their places behind those that it does."""
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        field = type_.fields.get(name)
        if not directive.startswith(_ORDER) or not isinstance(order, list) or not isinstance(merged.get(name), list):
            continue
        key = field.merge_key if isinstance(field, Sequence) else ""
        wanted = [one.get(key) if key and isinstance(one, dict) else one for one in order]
        merged[name] = sorted(merged[name], key=partial(_rank, key=key, wanted=wanted))


def _rank(item: Any, key: str, wanted: list[Any]) -> int:
    value = item.get(key) if key and isinstance(item, dict) else item
    return wanted.index(value) if value in wanted else len(wanted)


# ---- JSON patch
def json_patch(target: Any, patch: Any) -> Any:
    """StatusError 400 for a patch that is none, 422 where it does not fit the object."""
    if not isinstance(patch, list) or not all(isinstance(step, dict) for step in patch):
        raise bad_request("a JSON patch is a list of operations")
    if len(patch) > JSON_PATCH_STEPS_MAX:
        raise bad_request(f"a JSON patch may have {JSON_PATCH_STEPS_MAX} operations")
    document = copy.deepcopy(target)
    for step in patch:
        operation = _STEPS.get(str(step.get("op")))
        if operation is None:
            raise bad_request(f"a JSON patch has no operation {step.get('op')!r}")
        document = operation(document, step)
    return document


def _pointer(step: dict[str, Any], name: str = "path") -> list[str]:
    text = step.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"a JSON patch's {name} must be a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _value(step: dict[str, Any]) -> Any:
    if "value" not in step:
        raise bad_request(f"the JSON patch operation {step.get('op')!r} needs a value")
    return copy.deepcopy(step["value"])


def _misfit(path: list[str]) -> StatusError:
    message = f"the server rejected our request due to an error in our request: there is no /{'/'.join(path)}"
    return StatusError(422, "Invalid", message)


def _child(container: Any, part: str, path: list[str]) -> Any:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list) and part.isdecimal() and int(part) < len(container):
        return container[int(part)]
    raise _misfit(path)


def _walk(document: Any, path: list[str]) -> Any:
    for part in path:
        document = _child(document, part, path)
    return document


def _put(document: Any, path: list[str], value: Any, insert: bool) -> Any:
    if not path:
        return value
    container, last = _walk(document, path[:-1]), path[-1]
    if isinstance(container, dict):
        container[last] = value
    elif isinstance(container, list) and insert and last == "-":
        container.append(value)
    elif isinstance(container, list) and last.isdecimal() and int(last) < len(container) + insert:
        container[int(last) : int(last) + (not insert)] = [value]
    else:
        raise _misfit(path)
    return document


def _add(document: Any, step: dict[str, Any]) -> Any:
    return _put(document, _pointer(step), _value(step), insert=True)


def _remove(document: Any, step: dict[str, Any]) -> Any:
    path = _pointer(step)
    _walk(document, path)
    if not path:
        raise bad_request("a JSON patch cannot remove the whole object")
    container = _walk(document, path[:-1])
    del container[path[-1] if isinstance(container, dict) else int(path[-1])]
    return document


def _replace(document: Any, step: dict[str, Any]) -> Any:
    path = _pointer(step)
    _walk(document, path)
    return _put(document, path, _value(step), insert=False)


def _copy(document: Any, step: dict[str, Any]) -> Any:
    value = copy.deepcopy(_walk(document, _pointer(step, "from")))
    return _put(document, _pointer(step), value, insert=True)


def _move(document: Any, step: dict[str, Any]) -> Any:
    origin, path = _pointer(step, "from"), _pointer(step)
    if path[: len(origin)] == origin and path != origin:
        raise bad_request("a JSON patch cannot move a value into itself")
    value = _walk(document, origin)
    document = _remove(document, {"path": step["from"]})
    return _put(document, path, value, insert=True)


def _test(document: Any, step: dict[str, Any]) -> Any:
    path, wanted = _pointer(step), _value(step)
    found = _walk(document, path)
    if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
        raise StatusError(422, "Invalid", f"the JSON patch's test of /{'/'.join(path)} failed")
    return document


_STEPS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "copy": _copy,
    "move": _move,
    "test": _test,
}
