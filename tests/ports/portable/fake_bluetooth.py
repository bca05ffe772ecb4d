"""MicroPython's `bluetooth` as its documentation has it, with a thermometer in the air: for boards' radio, without one.

Interrupts come in `turn()`. The buffers that they hand over are overwritten afterwards, and a second GATT procedure on
a connection is refused, as the real one does.
"""

EALREADY = 114
ADDRESS = b"\xc4\x11\x22\x33\x44\x55"
ABSENT = b"\xc4\x99\x99\x99\x99\x99"
SERVICE = b"\x1a\x18"
FIRST, LAST = 1, 20
REFUSED = 0x102  # ATT error 2

TEMPERATURE, PERIOD, ALARM, SECRET = 3, 6, 9, 12  # handles of the values
CCCD = 4


class BLE:
    def __init__(self):
        self.is_active = False
        self.handler = None
        self.is_scanning = False
        self.attempt = None
        self.connection = None
        self.last_handle = 63
        self.pending = []
        self.busy = False
        self.is_notifying = False
        self.values = {TEMPERATURE: b"\x66\x08", PERIOD: b"\x3c\x00", ALARM: b""}

    # ---- what the module offers

    def active(self, on):
        self.is_active = on

    def irq(self, handler):
        self.handler = handler

    def gap_scan(self, duration_ms, interval_us=1_280_000, window_us=11_250, active=False):
        assert self.is_active
        if duration_ms is None:
            self.is_scanning = False
            self.pending.append((6,))
        else:
            self.is_scanning = True

    def gap_connect(self, kind, address=None, scan_duration_ms=2000):
        if kind is None:
            if self.attempt is None:
                raise OSError(EALREADY)
            self.attempt = None
            self.pending.append((8, 0xFFFF, 0xFF, bytes(6)))
            return
        if self.attempt is not None or self.is_scanning:
            raise OSError(EALREADY)
        self.attempt = bytes(address)
        if self.attempt == ADDRESS:
            self.attempt = None
            self.last_handle += 1
            self.connection = self.last_handle
            self.pending.append((7, self.connection, kind, ADDRESS))

    def gap_disconnect(self, handle):
        if handle != self.connection:
            return False
        self.end()
        return True

    def gattc_discover_services(self, handle):
        self._begin(handle)
        self.pending.append((9, handle, FIRST, LAST, SERVICE))
        self.pending.append((10, handle, 0))

    def gattc_discover_characteristics(self, handle, start, end):
        self._begin(handle)
        assert (start, end) == (FIRST, LAST)
        for value_handle, properties, uuid in (
            (TEMPERATURE, 0x12, b"\x6e\x2a"),
            (PERIOD, 0x0A, b"\x21\x2a"),
            (ALARM, 0x04, b"\x06\x2a"),
            (SECRET, 0x02, b"\x99\x2a"),
        ):
            self.pending.append((11, handle, 0, value_handle, properties, uuid))
        self.pending.append((12, handle, 0))

    def gattc_discover_descriptors(self, handle, start, end):
        self._begin(handle)
        if start <= CCCD <= end:
            self.pending.append((13, handle, CCCD, b"\x02\x29"))
        self.pending.append((14, handle, 0))

    def gattc_read(self, handle, value_handle):
        self._begin(handle)
        if value_handle in self.values:
            self.pending.append((15, handle, value_handle, self.values[value_handle]))
            self.pending.append((16, handle, value_handle, 0))
        else:
            self.pending.append((16, handle, value_handle, REFUSED))

    def gattc_write(self, handle, value_handle, data, mode=0):
        self._begin(handle, mode == 1)
        if value_handle == CCCD:
            self.is_notifying = data == b"\1\0"
        else:
            self.values[value_handle] = bytes(data)
        if mode == 1:
            self.pending.append((17, handle, value_handle, 0))

    # ---- the world

    def turn(self):
        """What has happened, and one advertisement with its scan response."""
        pending, self.pending = self.pending, []
        for event in pending:
            if event[0] in (10, 12, 14, 16, 17):
                self.busy = False
            self._interrupt(event[0], event[1:])
        if self.is_scanning and self.connection is None:
            self._interrupt(5, (1, ADDRESS, 0, -60, b"\x02\x01\x06\x03\x03\x1a\x18"))
            self._interrupt(5, (1, ADDRESS, 4, -60, b"\x0c\x09Thermometer"))

    def notify(self, data):
        self.values[TEMPERATURE] = data
        if self.is_notifying:
            self.pending.append((18, self.connection, TEMPERATURE, data))

    def end(self):
        if self.connection is not None:
            handle, self.connection = self.connection, None
            self.is_notifying = False
            self.busy = False
            self.pending = [event for event in self.pending if event[1:2] != (handle,)]
            self.pending.append((8, handle, 1, ADDRESS))

    def _begin(self, handle, is_procedure=True):
        if handle != self.connection:
            raise OSError(128)  # ENOTCONN
        if self.busy and is_procedure:
            raise OSError(EALREADY)
        self.busy = self.busy or is_procedure

    def _interrupt(self, event, data):
        buffers = [bytearray(part) if isinstance(part, bytes) else part for part in data]
        self.handler(event, tuple([memoryview(part) if isinstance(part, bytearray) else part for part in buffers]))
        for part in buffers:
            if isinstance(part, bytearray):
                for index in range(len(part)):
                    part[index] = 0xEE
