"""The administrator's credential: made at first start, shown once in a kubeconfig, kept as a hash."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from pathlib import Path

from edgelite_hub.security.private_files import write_private
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.digest import sha256

TOKEN_BYTES = 32
_META = "admin/token"


def make_token(random_bytes: Callable[[int], bytes]) -> str:
    return random_bytes(TOKEN_BYTES).hex()


def keep_token(transaction: Transaction, token: str) -> None:
    transaction.set_meta(_META, _hash(token))


def kept_hash(transaction: Transaction) -> bytes | None:
    return transaction.get_meta(_META)


def is_admin(authorization: str | None, kept: bytes) -> bool:
    """Whether an Authorization header carries the administrator's token; takes as long for each wrong one."""
    scheme, _, token = (authorization or "").partition(" ")
    return hmac.compare_digest(_hash(token.strip()), kept) and scheme.lower() == "bearer"


def write_kubeconfig(path: Path, server: str, ca_pem: bytes, token: str) -> None:
    """As JSON, which is YAML too: so who has no YAML parser can read it."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca_pem).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "edgelite",
        "clusters": [{"name": "edgelite", "cluster": cluster}],
        "contexts": [{"name": "edgelite", "context": {"cluster": "edgelite", "user": "edgelite-admin"}}],
        "users": [{"name": "edgelite-admin", "user": {"token": token}}],
    }
    write_private(path, json.dumps(config, indent=2).encode() + b"\n")


def read_kubeconfig_token(path: Path) -> str | None:
    """The token in a kubeconfig of ours; None where there is no such file or it is another's."""
    try:
        users = json.loads(path.read_bytes())["users"]
        return str(users[0]["user"]["token"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError):
        return None  # edited or damaged: a new one is written, which only invalidates the old token


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
