"""Which hub, and with which credential: read from a kubeconfig file as `kubectl` knows it."""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelite_cli.failure import Failure


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is and how it and we are known. `ca_pem` None means the system's CAs."""

    server: str
    ca_pem: str | None
    token: str | None
    namespace: str


def candidates() -> list[Path]:
    """Where a kubeconfig may lie, the first that exists is taken."""
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    home = Path.home()
    own = Path("/var/lib/edgelite-hub") if os.geteuid() == 0 else home / ".local/share/edgelite-hub"
    return [Path(name) for name in named if name] + [own / "kubeconfig", home / ".kube/config"]


def find(path: str | None) -> Path:
    """The one that is named, even where it is not there: never another hub's in its place."""
    path = path or os.environ.get("EDGELITE_KUBECONFIG")
    if path:
        return Path(path)
    for candidate in candidates():
        if is_there(candidate):
            return candidate
    raise Failure(
        "no kubeconfig found; start a hub on this machine with `edgelite hub`, or copy the hub's kubeconfig here and "
        "name it with --kubeconfig or EDGELITE_KUBECONFIG (looked at: " + ", ".join(map(str, candidates())) + ")"
    )


def is_there(candidate: Path) -> bool:
    """True also for one that we may not look at: reading it then tells why, as silence would not."""
    try:
        candidate.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def parse(text: str, source: str) -> Any:
    """JSON where it is JSON (the hub writes that), so that PyYAML is needed only for other people's files."""
    try:
        return json.loads(text)
    except ValueError:
        from edgelite_cli.yaml import parse_documents

        return next(iter(parse_documents(text, source)), None)


def named(document: Any, section: str, name: str, inner: str) -> dict[str, Any]:
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            return dict(entry.get(inner) or {})
    return {}


def certificate(cluster: dict[str, Any], folder: Path) -> str | None:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"], validate=True).decode("ascii")
    if "certificate-authority" in cluster:
        return (folder / str(cluster["certificate-authority"])).read_text()
    return None


def load(path: str | None) -> Access:
    """Read the current context. Failure where the file is absent, unreadable or says too little."""
    file = find(path)
    try:
        document = parse(file.read_text(), str(file))
        name = document["current-context"]
        context = named(document, "contexts", name, "context")
        cluster = named(document, "clusters", context["cluster"], "cluster")
        user = named(document, "users", context["user"], "user")
        return Access(
            cluster["server"], certificate(cluster, file.parent), user.get("token"), context.get("namespace", "default")
        )
    except OSError as error:
        raise Failure(f"cannot read the kubeconfig {file}: {error.strerror}") from error
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, binascii.Error) as error:
        raise Failure(f"{file} is not a usable kubeconfig: {error!r} while reading its current context") from error
