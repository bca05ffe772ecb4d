"""What the API needs of the hub around it."""

from __future__ import annotations

from typing import Protocol

from edgelite_hub.model.registry import Registry
from edgelite_hub.security.authz import Subject
from edgelite_hub.store.writer import Writer


class Hub(Protocol):
    @property
    def registry(self) -> Registry: ...

    @property
    def is_ready(self) -> bool:
        """What /readyz answers."""
        ...

    @property
    def writer(self) -> Writer: ...

    def authenticate(self, authorization_header: str | None) -> Subject:
        """Never raises; a subject of kind ANONYMOUS is answered 401."""
        ...

    def now_ms(self) -> int:
        """Unix time."""
        ...
