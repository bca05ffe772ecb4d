"""Finding a value by its OBIS code in the data of a meter, as IEC 62056-21 writes it (section 6.5):

1-0:1.8.0*255(000123.4*kWh)      medium and channel, code, billing period; value and unit
1.8.0(000123.4*kWh)              the same in its reduced form
0-1:24.2.1(101209112500W)(12785.123*m3)     several values behind one code, counted from 1
"""


def find(data: bytes, code: bytes, group: int) -> "tuple[bytes, bytes] | None":
    """(value, unit) behind the code; the unit is b"" where none is given."""
    place = 0
    address = b""
    count = 0
    while True:
        begin = data.find(b"(", place)
        end = data.find(b")", begin)
        if begin < 0 or end < 0:
            return None
        head = data[place:begin].strip()
        if head:
            address = head[max(head.rfind(b"\n"), head.rfind(b"\r")) + 1 :]
            count = 0
        count += 1
        if count == group and _means(address, code):
            value, _, unit = data[begin + 1 : end].partition(b"*")
            return value, unit
        place = end + 1


def _means(address: bytes, code: bytes) -> bool:
    if address == code:
        return True
    address = address[address.find(b":") + 1 :]
    for separator in (b"*", b"&"):
        if separator not in code:
            address = address.partition(separator)[0]
    return address == code
