"""Seals secrets that the store must hold, so that a copy of the store alone opens none: the key lies beside the
CA's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edgelite_hub.security.private_files import make_private_directory, write_private
from edgelite_protocol.errors import CorruptionError

FILE_NAME = "store.key"
KEY_BYTES = 32
NONCE_BYTES = 12


class KeyBox:
    """`seal` and `open` small secrets, each bound to the place where it is kept."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._cipher = AESGCM(key)
        self._random_bytes = random_bytes

    def seal(self, secret: bytes, place: str) -> bytes:
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """CorruptionError where it was sealed by another hub's key, for another place, or has changed since."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise CorruptionError(place, f"does not open with {FILE_NAME}: restore both from one backup") from error


def load_or_create(directory: Path) -> KeyBox:
    """The hub's own, of `directory`, which only the hub may read."""
    path = directory / FILE_NAME
    if not path.exists():
        make_private_directory(directory)
        write_private(path, os.urandom(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise CorruptionError(str(path), f"has {len(key)} bytes, not {KEY_BYTES}: restore it from a backup")
    return KeyBox(key)


def temporary() -> KeyBox:
    """One that no restart keeps, for simulated hubs."""
    return KeyBox(os.urandom(KEY_BYTES))
