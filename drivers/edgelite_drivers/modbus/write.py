"""Writing one property: which function, and which other where the device does not know it.

    a coil                   function 5, else 15
    one register             function 6, else 16
    several registers        function 16
    bits of a register       function 22, else: read the register, change the bits, write it

The last is two exchanges, so what another master writes into the register between them is lost; that is why it comes
second. What a device refuses by exception 1 is remembered for as long as the bus lives.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.values import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.representation import Visitor
    from edgelite_drivers.modbus.unit import Unit

_ONE_OF_SEVERAL = (pdu.WRITE_SINGLE_COIL, pdu.WRITE_SINGLE_REGISTER, pdu.MASK_WRITE_REGISTER)


class Write:
    """`request` is the next PDU; `error` says why the value cannot be written at all."""

    def __init__(self, visitor: "Visitor", value: object, unit: "Unit") -> None:
        self.visitor = visitor
        self.request = b""
        self.error = ""
        self.data = b""
        self._unit = unit
        try:
            self.data = encode(visitor, value)
        except ConfigurationError as error:
            self.error = error.text
            return
        self._choose()

    def is_done_after(self, data: bytes) -> bool:
        """The device has confirmed `request`, or has given the register that bits are to be changed in."""
        if self.request[0] != pdu.READ_HOLDING_REGISTERS:
            return True
        keep, bring = self._masks()
        changed = (data[0] << 8 | data[1]) & keep | bring
        self._write_registers(bytes([changed >> 8, changed & 255]))
        return False

    def has_another_way(self) -> bool:
        """The device does not know the function. True where `request` is now one that it may know."""
        function = self.request[0]
        if function not in _ONE_OF_SEVERAL:
            return False
        self._unit.refuses(function)
        if function == pdu.WRITE_SINGLE_REGISTER and self.visitor.bit_mask:
            self._write_registers(self.request[3:])
        else:
            self._choose()
        return True

    def _choose(self) -> None:
        visitor = self.visitor
        refused = self._unit.refused_functions
        if visitor.table == "CoilRegister":
            value = self.data[1] != 0
            if pdu.WRITE_SINGLE_COIL in refused:
                self.request = pdu.write_coils_request(visitor.offset, [value])
            else:
                self.request = pdu.write_coil_request(visitor.offset, value)
        elif not visitor.bit_mask:
            self._write_registers(self.data)
        elif pdu.MASK_WRITE_REGISTER in refused:
            self.request = pdu.read_request(pdu.READ_HOLDING_REGISTERS, visitor.offset, 1)
        else:
            self.request = pdu.mask_write_request(visitor.offset, *self._masks())

    def _masks(self) -> "tuple[int, int]":
        from edgelite_drivers.modbus.bits import masks

        return masks(self.visitor, self.data)

    def _write_registers(self, data: bytes) -> None:
        if len(data) == 2 and pdu.WRITE_SINGLE_REGISTER not in self._unit.refused_functions:
            self.request = pdu.write_register_request(self.visitor.offset, data)
        else:
            self.request = pdu.write_registers_request(self.visitor.offset, data)
