"""The storage contract on raw block devices: one that may be written over, and flash."""

from collections.abc import Callable

import pytest
from storage_contract import StorageContract

from edgelite.storage import Storage
from edgelite_ports.common.block_storage import BlockStorage
from edgelite_ports.testing.block_device import MemoryDevice


@pytest.fixture(params=[(512, 0), (4096, 0xFF), (512, 0xFF)], ids=["written-over", "flash", "small-flash"])
def device(request: pytest.FixtureRequest) -> MemoryDevice:
    block_bytes, erased = request.param
    return MemoryDevice(block_bytes, (3 << 20) // block_bytes, erased)


@pytest.fixture
def storage(device: MemoryDevice) -> Storage:
    return BlockStorage(device)


@pytest.fixture
def again(device: MemoryDevice) -> Callable[[], Storage]:
    return lambda: BlockStorage(device)


class TestBlockStorage(StorageContract):
    pass
