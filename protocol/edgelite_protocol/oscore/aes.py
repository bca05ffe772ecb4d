"""AES-128 encryption (FIPS 197) in Python's arithmetic, for platforms without a cipher of their own.

Four tables hold SubBytes and MixColumns together, each as columns of 32 bits for one row; they take 40 KB and halve the
time. Their lookups depend on the key, so whoever can time this process from the same processor's cache might learn of
it: on a device with such neighbours use a platform's own AES.
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


def _rotate(word: int, bits: int) -> int:
    """To the right, within 32 bits."""
    return (word >> bits | word << 32 - bits) & _WORD


_SBOX = _make_sbox()
_ROW_0 = _make_columns(_SBOX)
_ROW_1 = [_rotate(column, 8) for column in _ROW_0]
_ROW_2 = [_rotate(column, 16) for column in _ROW_0]
_ROW_3 = [_rotate(column, 24) for column in _ROW_0]


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
        """Each round is SubBytes, ShiftRows, MixColumns, AddRoundKey: a new column takes a byte of each old one."""
        words, box = self._words, _SBOX
        row_0, row_1, row_2, row_3 = _ROW_0, _ROW_1, _ROW_2, _ROW_3
        a, b = block >> 96 ^ words[0], block >> 64 & _WORD ^ words[1]
        c, d = block >> 32 & _WORD ^ words[2], block & _WORD ^ words[3]
        for at in range(4, 4 * _ROUNDS, 4):
            a, b, c, d = (
                row_0[a >> 24] ^ row_1[b >> 16 & 255] ^ row_2[c >> 8 & 255] ^ row_3[d & 255] ^ words[at],
                row_0[b >> 24] ^ row_1[c >> 16 & 255] ^ row_2[d >> 8 & 255] ^ row_3[a & 255] ^ words[at + 1],
                row_0[c >> 24] ^ row_1[d >> 16 & 255] ^ row_2[a >> 8 & 255] ^ row_3[b & 255] ^ words[at + 2],
                row_0[d >> 24] ^ row_1[a >> 16 & 255] ^ row_2[b >> 8 & 255] ^ row_3[c & 255] ^ words[at + 3],
            )
        out = 0
        for index in range(4):
            last = box[a >> 24] << 24 | box[b >> 16 & 255] << 16 | box[c >> 8 & 255] << 8 | box[d & 255]
            out = out << 32 | last ^ words[4 * _ROUNDS + index]
            a, b, c, d = b, c, d, a
        return out.to_bytes(BLOCK_BYTES, "big")
