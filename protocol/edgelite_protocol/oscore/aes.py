"""AES-128 encryption (FIPS 197) in Python's arithmetic, for platforms without a cipher of their own.

One table holds SubBytes and MixColumns together, as a column of 32 bits; its other three columns are rotations. Its
lookups depend on the key, so whoever can time this process from the same processor's cache might learn of it: on a
device with such neighbours use a platform's own AES.
"""

BLOCK_BYTES = 16
_ROUNDS = 10
_WORD = 0xFFFFFFFF


def _double(value: int) -> int:
    """Times x in AES' field."""
    value <<= 1
    return value ^ 0x11B if value & 0x100 else value


def _make_sbox() -> bytes:
    """FIPS 197, 5.1.1: the inverse in the field, then an affine map. 3 generates the field, its inverse walks back."""
    logarithms = [0] * 256
    powers = [0] * 256
    value = 1
    for exponent in range(255):
        powers[exponent] = value
        logarithms[value] = exponent
        value ^= _double(value)
    box = bytearray(256)
    for number in range(256):
        inverse = powers[(255 - logarithms[number]) % 255] if number else 0
        mixed = inverse | inverse << 8
        box[number] = (inverse ^ mixed >> 7 ^ mixed >> 6 ^ mixed >> 5 ^ mixed >> 4 ^ 0x63) & 0xFF
    return bytes(box)


def _make_columns(box: bytes) -> "list[int]":
    """MixColumns of a column whose only byte is the first: (2, 1, 1, 3) times its S-box value."""
    columns = []
    for value in box:
        twice = _double(value)
        columns.append(twice << 24 | value << 16 | value << 8 | (twice ^ value))
    return columns


_SBOX = _make_sbox()
_COLUMNS = _make_columns(_SBOX)


def _rotate(word: int, bits: int) -> int:
    """To the right, within 32 bits."""
    return (word >> bits | word << 32 - bits) & _WORD


def _substitute(word: int) -> int:
    return _SBOX[word >> 24] << 24 | _SBOX[word >> 16 & 255] << 16 | _SBOX[word >> 8 & 255] << 8 | _SBOX[word & 255]


def _expand(key: bytes) -> "list[int]":
    """FIPS 197, 5.2: 44 words."""
    words = [int.from_bytes(key[at : at + 4], "big") for at in range(0, BLOCK_BYTES, 4)]
    constant = 1
    for index in range(4, 4 * (_ROUNDS + 1)):
        word = words[index - 1]
        if index % 4 == 0:
            word = _substitute(_rotate(word, 24)) ^ constant << 24
            constant = _double(constant)
        words.append(words[index - 4] ^ word)
    return words


class Aes:
    """Input is a multiple of 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._words = _expand(key)

    def encrypt_blocks(self, blocks: "bytes | bytearray") -> bytes:
        """Each block on its own."""
        out = bytearray()
        for at in range(0, len(blocks), BLOCK_BYTES):
            out += self._encrypt(int.from_bytes(blocks[at : at + BLOCK_BYTES], "big"))
        return bytes(out)

    def mac(self, blocks: "bytes | bytearray") -> bytes:
        """The last block of CBC with a zero initial vector."""
        state = bytes(BLOCK_BYTES)
        for at in range(0, len(blocks), BLOCK_BYTES):
            block = int.from_bytes(blocks[at : at + BLOCK_BYTES], "big")
            state = self._encrypt(block ^ int.from_bytes(state, "big"))
        return state

    def _encrypt(self, block: int) -> bytes:
        words = self._words
        state = [(block >> shift & _WORD) ^ words[index] for index, shift in enumerate((96, 64, 32, 0))]
        for number in range(1, _ROUNDS):
            state = self._round(state, 4 * number)
        out = bytearray()
        for index in range(4):
            row = [state[(index + step) % 4] >> 24 - 8 * step & 255 for step in range(4)]
            word = _SBOX[row[0]] << 24 | _SBOX[row[1]] << 16 | _SBOX[row[2]] << 8 | _SBOX[row[3]]
            out += (word ^ words[4 * _ROUNDS + index]).to_bytes(4, "big")
        return bytes(out)

    def _round(self, state: "list[int]", first: int) -> "list[int]":
        """SubBytes, ShiftRows, MixColumns, AddRoundKey: each new column takes a byte of each old one."""
        words, columns = self._words, _COLUMNS
        one, two, three, four = state
        new = []
        for index in range(4):
            b, c, d = columns[two >> 16 & 255], columns[three >> 8 & 255], columns[four & 255]
            new.append(
                columns[one >> 24]
                ^ (b >> 8 | (b & 0xFF) << 24)
                ^ (c >> 16 | (c & 0xFFFF) << 16)
                ^ (d >> 24 | (d & 0xFFFFFF) << 8)
                ^ words[first + index]
            )
            one, two, three, four = two, three, four, one
        return new
