"""A container's environment and files, resolved from ConfigMaps, Secrets and the Pod itself.

Kubernetes' rules and reasons: what is missing and not optional makes CreateContainerConfigError, and the container
does not start until it is there.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any

from edgelite_hub.model.objects import CONFIG_MAPS, SECRETS, Object

ENVIRONMENT_BYTES_MAX = 64 * 1024  # of one container: it is kept in the journal and in the node's memory
FILES_BYTES_MAX = 1024 * 1024  # of one container: Kubernetes' bound on one ConfigMap
MODE_DEFAULT = 0o644

CONFIG_ERROR = "CreateContainerConfigError"

Lookup = Callable[[str, str], Object | None]  # (resource, name) in the Pod's namespace

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # keys that are no such name are left out, as in Kubernetes
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


class CannotCompile(Exception):
    """Why a Pod or Device cannot go to its node now: `reason` for machines, `text` for a person."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason
        self.text = text


def environment_of(pod: Object, container: Object, lookup: Lookup) -> dict[str, str]:
    """envFrom first, then env in order; a later name replaces an earlier one and may refer to it by $(NAME)."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        found.update(_environment_from(source, lookup))
    for variable in container.get("env") or []:
        value = _value_of(pod, variable, lookup)
        if value is not None:
            found[str(variable["name"])] = value
    if sum(len(name) + len(value.encode()) + 2 for name, value in found.items()) > ENVIRONMENT_BYTES_MAX:
        raise CannotCompile(CONFIG_ERROR, f"the environment is larger than {ENVIRONMENT_BYTES_MAX} bytes")
    return found


def files_of(pod: Object, container: Object, lookup: Lookup) -> list[list[object]]:
    """[path, bytes, mode] of every file that volumes put into the container, by path."""
    volumes = {str(volume["name"]): volume for volume in (pod["spec"].get("volumes") or [])}
    files: dict[str, list[object]] = {}
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(str(mount["name"]))
        if volume is None:
            raise CannotCompile(CONFIG_ERROR, f"the Pod has no volume {mount['name']}")
        for path, data, mode in _mounted(mount, volume, lookup):
            files[path] = [path, data, mode]
    if sum(len(row[1]) for row in files.values() if isinstance(row[1], bytes)) > FILES_BYTES_MAX:
        raise CannotCompile(CONFIG_ERROR, f"the files of the volumes are larger than {FILES_BYTES_MAX} bytes together")
    return [files[path] for path in sorted(files)]


def expand(text: str, environment: dict[str, str]) -> str:
    """Kubernetes' $(NAME): a known name is replaced, an unknown one stays, $$ is a dollar."""

    def replacement(match: re.Match[str]) -> str:
        if match.group(0) == "$$":
            return "$"
        return environment.get(match.group(1), match.group(0))

    return _REFERENCE.sub(replacement, text)


def references_of(pod: Object) -> set[tuple[str, str]]:
    """(resource, name) of every ConfigMap and Secret that the Pod names."""
    found: set[tuple[str, str]] = set()
    spec = pod.get("spec") or {}
    for container in spec.get("containers") or []:
        for source in container.get("envFrom") or []:
            found.update(_named(source, "configMapRef", "secretRef", "name"))
        for variable in container.get("env") or []:
            found.update(_named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef", "name"))
    for volume in spec.get("volumes") or []:
        found.update(_named(volume, "configMap", None, "name"))
        found.update(_named(volume, None, "secret", "secretName"))
    return found


def _named(source: Object, config_key: str | None, secret_key: str | None, name_key: str) -> Iterator[tuple[str, str]]:
    for resource, key in ((CONFIG_MAPS, config_key), (SECRETS, secret_key)):
        if key and source.get(key):
            yield resource, str(source[key].get(name_key))


def _environment_from(source: Object, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for resource, key in ((CONFIG_MAPS, "configMapRef"), (SECRETS, "secretRef")):
        if source.get(key):
            data = _data(resource, source[key], "name", lookup)
            named = {prefix + name: _as_text(value, name) for name, value in data.items()}
            return {name: value for name, value in named.items() if _VARIABLE.fullmatch(name)}
    return {}


def _value_of(pod: Object, variable: Object, lookup: Lookup) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value") or "")
    if source.get("fieldRef"):
        return _field(pod, str(source["fieldRef"].get("fieldPath")))
    for resource, key in ((CONFIG_MAPS, "configMapKeyRef"), (SECRETS, "secretKeyRef")):
        if source.get(key):
            return _key_value(resource, source[key], lookup)
    raise CannotCompile(CONFIG_ERROR, f"env {variable['name']}: this source of a value is not supported")


def _key_value(resource: str, reference: Object, lookup: Lookup) -> str | None:
    data = _data(resource, reference, "name", lookup)
    key = str(reference.get("key"))
    if key in data:
        return _as_text(data[key], key)
    if reference.get("optional"):
        return None
    raise CannotCompile(CONFIG_ERROR, f"{_word(resource)} {reference.get('name')} has no key {key}")


def _field(pod: Object, path: str) -> str:
    """The downward API's paths that make sense for a workload without an address of its own."""
    metadata, spec = pod["metadata"], pod["spec"]
    plain = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
    }
    if path in plain:
        return str(plain[path])
    match = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if match:
        return str((metadata.get(match.group(1)) or {}).get(match.group(2), ""))
    raise CannotCompile(CONFIG_ERROR, f"fieldRef {path} is not supported")


def _mounted(mount: Object, volume: Object, lookup: Lookup) -> Iterator[tuple[str, bytes, int]]:
    resource, source, name_key = _volume_source(volume)
    data = _data(resource, source, name_key, lookup)
    mode = int(source.get("defaultMode") or MODE_DEFAULT)
    base, only = str(mount["mountPath"]), mount.get("subPath")
    for key, path, item_mode in _items(source, data, mode, _word(resource)):
        if only and path != only:
            continue
        yield (base if only else _joined(base, path)), data[key], item_mode


def _volume_source(volume: Object) -> tuple[str, Object, str]:
    if volume.get("configMap"):
        return CONFIG_MAPS, volume["configMap"], "name"
    if volume.get("secret"):
        return SECRETS, volume["secret"], "secretName"
    raise CannotCompile(CONFIG_ERROR, f"volume {volume['name']} is neither a configMap nor a secret")


def _items(source: Object, data: dict[str, bytes], mode: int, word: str) -> Iterator[tuple[str, str, int]]:
    if not source.get("items"):
        for key in data:
            yield key, key, mode
        return
    for item in source["items"]:
        key = str(item["key"])
        if key in data:
            yield key, str(item["path"]), int(item.get("mode") or mode)
        elif not source.get("optional"):
            raise CannotCompile(CONFIG_ERROR, f"{word} has no key {key}")


def _joined(base: str, path: str) -> str:
    joined = posixpath.normpath(posixpath.join(base, path))
    if posixpath.isabs(path) or ".." in path.split("/"):
        raise CannotCompile(CONFIG_ERROR, f"path {path} leaves the volume")
    return joined


def _data(resource: str, reference: Object, name_key: str, lookup: Lookup) -> dict[str, bytes]:
    name = str(reference.get(name_key))
    value = lookup(resource, name)
    if value is None:
        if reference.get("optional"):
            return {}
        raise CannotCompile(CONFIG_ERROR, f"{_word(resource)} {name} not found")
    return _secret_data(value) if resource == SECRETS else _config_data(value)


def _config_data(value: Object) -> dict[str, bytes]:
    data = {key: str(text).encode() for key, text in (value.get("data") or {}).items()}
    data.update({key: _decoded(text, key) for key, text in (value.get("binaryData") or {}).items()})
    return data


def _secret_data(value: Object) -> dict[str, bytes]:
    data = {key: _decoded(text, key) for key, text in (value.get("data") or {}).items()}
    data.update({key: str(text).encode() for key, text in (value.get("stringData") or {}).items()})
    return data


def _decoded(text: Any, key: str) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise CannotCompile(CONFIG_ERROR, f"key {key} is not base64") from error


def _as_text(value: bytes, key: str) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise CannotCompile(CONFIG_ERROR, f"key {key} is not UTF-8, so it cannot be a variable") from error
    if "\0" in text:
        raise CannotCompile(CONFIG_ERROR, f"key {key} holds a zero byte, so it cannot be a variable")
    return text


def _word(resource: str) -> str:
    return "configmap" if resource == CONFIG_MAPS else "secret"
