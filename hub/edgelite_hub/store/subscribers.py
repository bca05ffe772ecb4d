"""Who is told of commits."""

from __future__ import annotations

import threading
from collections.abc import Callable

Notify = Callable[[int], None]


class Subscribers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notifies: list[Notify] = []

    def add(self, notify: Notify) -> Callable[[], None]:
        with self._lock:
            self._notifies.append(notify)
        return lambda: self._remove(notify)

    def _remove(self, notify: Notify) -> None:
        with self._lock:
            if notify in self._notifies:
                self._notifies.remove(notify)

    def notify(self, revision: int) -> None:
        with self._lock:
            notifies = list(self._notifies)
        for notify in notifies:
            notify(revision)

    def clear(self) -> None:
        with self._lock:
            self._notifies.clear()
