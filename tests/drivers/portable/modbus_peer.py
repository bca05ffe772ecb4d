"""A Modbus TCP device in memory, written from the specification and not from our client: the peer of its tests."""

ANSWERED_BY = {
    1: "coils",
    2: "contacts",
    3: "holding",
    4: "inputs",
    5: "coils",
    6: "holding",
    15: "coils",
    16: "holding",
    22: "holding",
}


class Unit:
    """Tables of address to register (or 0/1); an address that is not there is refused with exception 2."""

    def __init__(self, **tables):
        self.coils = tables.get("coils", {})
        self.contacts = tables.get("contacts", {})
        self.holding = tables.get("holding", {})
        self.inputs = tables.get("inputs", {})
        self.is_silent = False
        self.count_max = 125

    def answer(self, pdu):
        function = pdu[0]
        if function not in ANSWERED_BY:
            return bytes([function | 0x80, 1])
        table = getattr(self, ANSWERED_BY[function])
        address = pdu[1] * 256 + pdu[2]
        count = pdu[3] * 256 + pdu[4]
        if function in (5, 6, 22):
            count = 1
        if function in (3, 4) and not 1 <= count <= self.count_max:
            return bytes([function | 0x80, 3])
        for place in range(address, address + count):
            if place not in table:
                return bytes([function | 0x80, 2])
        if function <= 4:
            return self.read(function, table, address, count)
        return self.write(function, table, address, count, pdu)

    def read(self, function, table, address, count):
        data = bytearray()
        if function in (3, 4):
            for place in range(address, address + count):
                data.append(table[place] // 256)
                data.append(table[place] % 256)
        else:
            for index in range(count):
                if index % 8 == 0:
                    data.append(0)
                data[index // 8] += table[address + index] * 2 ** (index % 8)
        return bytes([function, len(data)]) + bytes(data)

    def write(self, function, table, address, count, pdu):
        if function == 5:
            table[address] = 1 if pdu[3] == 255 else 0
        elif function == 22:
            keep, bring = pdu[3] * 256 + pdu[4], pdu[5] * 256 + pdu[6]
            table[address] = (table[address] & keep) | (bring & (65535 - keep))
            return pdu
        elif function == 6:
            table[address] = pdu[3] * 256 + pdu[4]
        else:
            for index in range(count):
                if function == 15:
                    table[address + index] = pdu[6 + index // 8] // 2 ** (index % 8) % 2
                else:
                    table[address + index] = pdu[6 + 2 * index] * 256 + pdu[7 + 2 * index]
        return pdu[:5]


class Peer:
    """`answer(data)` takes what the client sent and gives what goes back; `requests` notes (unit, pdu)."""

    def __init__(self, units):
        self.units = units
        self.buffer = b""
        self.requests = []

    def answer(self, data):
        self.buffer += data
        output = b""
        while len(self.buffer) >= 8 and len(self.buffer) >= 6 + self.buffer[5]:
            length = self.buffer[4] * 256 + self.buffer[5]
            assert self.buffer[2:4] == b"\0\0" and 2 <= length <= 254
            unit, pdu = self.buffer[6], self.buffer[7 : 6 + length]
            head = self.buffer[:2]
            self.buffer = self.buffer[6 + length :]
            self.requests.append((unit, pdu))
            if unit in self.units and not self.units[unit].is_silent:
                output += frame(head, unit, self.units[unit].answer(pdu))
        return output


class RtuPeer:
    """Slaves on a line, each whole request answered in full."""

    def __init__(self, units):
        self.units = units
        self.buffer = b""
        self.requests = []

    def answer(self, data):
        self.buffer += data
        output = b""
        while len(self.buffer) >= 8:
            size = 8 if self.buffer[1] not in (15, 16) else 9 + self.buffer[6]
            size = 10 if self.buffer[1] == 22 else size
            frame, self.buffer = self.buffer[:size], self.buffer[size:]
            assert crc(frame) == 0, "the client's own frame"
            unit, pdu = frame[0], frame[1:-2]
            self.requests.append((unit, pdu))
            for number in self.units:
                if unit in (0, number) and not self.units[number].is_silent:
                    answer = self.units[number].answer(pdu)
                    output += self.seal(unit, answer) if unit else b""
        return output

    def seal(self, unit, pdu):
        data = bytes([unit]) + pdu
        check = crc(data)
        return data + bytes([check % 256, check // 256])


class AsciiPeer(RtuPeer):
    """The same in ASCII."""

    def answer(self, data):
        self.buffer += data
        output = b""
        while b"\r\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            data = bytes([int(line[index : index + 2], 16) for index in range(1, len(line), 2)])
            assert line[:1] == b":" and sum(data) % 256 == 0
            unit, pdu = data[0], data[1:-1]
            self.requests.append((unit, pdu))
            if unit in self.units and not self.units[unit].is_silent:
                output += self.seal(unit, self.units[unit].answer(pdu))
        return output

    def seal(self, unit, pdu):
        data = bytes([unit]) + pdu
        return (":" + "".join(["%02X" % byte for byte in data]) + "%02X\r\n" % (-sum(data) % 256)).encode()


def crc(data):
    """Bit by bit, as the specification describes it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value // 2 ^ 0xA001 if value % 2 else value // 2
    return value


def frame(transaction, unit, pdu):
    """`transaction`: its two bytes."""
    return transaction + b"\0\0" + bytes([0, 1 + len(pdu), unit]) + pdu


def registers(data, address=0):
    """A table that holds `data` from `address` on."""
    return {address + index: data[2 * index] * 256 + data[2 * index + 1] for index in range(len(data) // 2)}
