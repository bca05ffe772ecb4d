"""The check of an RTU frame (Modbus over Serial Line V1.02, section 6.2.2)."""


def _row(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ 0xA001 if index & 1 else index >> 1
    return index


_TABLE = tuple([_row(index) for index in range(256)])


def crc16(data: bytes) -> int:
    """Its low byte goes first. 0 over a frame with its own check behind it."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc
