"""Simulated Bluetooth: an air of virtual controllers (Bumble's), without radio hardware, in one asyncio loop."""

from __future__ import annotations

import asyncio
from typing import Any

from bumble import hci
from bumble.controller import Controller
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.link import LocalLink

INTERVAL_MS = 50  # between advertisements: tests and people wait no longer than they must


class AirController(Controller):
    """Bumble's virtual controller, which takes the cancelling of a connection attempt but does not end it."""

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        asyncio.get_running_loop().call_soon(self._tell_cancelled, pending.peer_address)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def _tell_cancelled(self, address: hci.Address) -> None:
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=address.address_type,
                peer_address=address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )


class Members(dict[AirController, None]):
    """Of a link, in the order in which they came: Bumble's own set has them in the order of their addresses in memory,
    so that no run would be like another."""

    def add(self, controller: AirController) -> None:
        self[controller] = None

    def remove(self, controller: AirController) -> None:
        del self[controller]


class Air:
    """What the controllers of one simulation have in common. `power_on` devices before anything else."""

    def __init__(self) -> None:
        self.link = LocalLink()  # type: ignore[no-untyped-call]
        self.link.controllers = Members()  # type: ignore[assignment]

    def device(self, name: str, address: str) -> Device:
        """A device with a static random address, not yet powered on."""
        controller = AirController(name, link=self.link)
        host = Host(controller, controller)
        configuration = DeviceConfiguration(name=name, address=hci.Address(address))
        configuration.advertising_interval_min = configuration.advertising_interval_max = INTERVAL_MS
        return Device(host=host, config=configuration)


class InLoop:
    """Calls of `inner`, made inside `loop`: for what is no coroutine and has the loop stand still in between."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        async def call(arguments: tuple[Any, ...]) -> Any:
            return found(*arguments)

        return lambda *arguments: self._loop.run_until_complete(call(arguments))
