"""The contract of every storage (edgelite_ports/testing/storage_contract.py) under pytest. A test class of each
implementation inherits these, and has a fixture `storage` and one `again` that opens the same files anew, as after a
restart of the process."""

from collections.abc import Callable

import pytest

from edgelite.storage import Storage
from edgelite_ports.testing.storage_contract import CHECKS

Check = Callable[[Storage, Callable[[], Storage]], None]


class StorageContract:
    @pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
    def test_contract(self, storage: Storage, again: Callable[[], Storage], check: Check) -> None:
        check(storage, again)
