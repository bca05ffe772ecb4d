// AES after FIPS 197, for the emulated board, which has no library with it. Written for size and clarity; its table
// lookups are not constant in time, which on an emulated board nobody can measure. A real board has its vendor's.
#include <string.h>

#include "lib/axtls/crypto/crypto.h"

#include "py/mpconfig.h"

static uint8_t substitute[256];
static uint8_t substitute_back[256];

static uint8_t twice(uint8_t value) {
    return (uint8_t)((value << 1) ^ ((value >> 7) * 0x1b));
}

static uint8_t product(uint8_t a, uint8_t b) {
    uint8_t sum = 0;
    for (; b; b >>= 1, a = twice(a)) {
        if (b & 1) {
            sum ^= a;
        }
    }
    return sum;
}

// FIPS 197, section 5.1.1: the inverse in the field, then the affine map.
static void make_tables(void) {
    uint8_t power = 1, inverse = 1;
    do {
        power = (uint8_t)(power ^ twice(power)); // times 3, a generator
        inverse ^= (uint8_t)(inverse << 1); // divided by 3
        inverse ^= (uint8_t)(inverse << 2);
        inverse ^= (uint8_t)(inverse << 4);
        if (inverse & 0x80) {
            inverse ^= 0x09;
        }
        uint8_t mapped = inverse;
        for (int turn = 1; turn <= 4; ++turn) {
            mapped ^= (uint8_t)((inverse << turn) | (inverse >> (8 - turn)));
        }
        substitute[power] = mapped ^ 0x63;
    } while (power != 1);
    substitute[0] = 0x63;
    for (int value = 0; value < 256; ++value) {
        substitute_back[substitute[value]] = (uint8_t)value;
    }
}

// Section 5.2.
void AES_set_key(AES_CTX *context, const uint8_t *key, const uint8_t *iv, AES_MODE mode) {
    if (substitute[0] == 0) {
        make_tables();
    }
    int words = mode == AES_MODE_128 ? 4 : 8;
    context->rounds = (uint8_t)(words + 6);
    memcpy(context->round_keys, key, words * 4);
    if (iv) {
        memcpy(context->iv, iv, 16);
    }
    uint8_t constant = 1;
    for (int i = words; i < 4 * (context->rounds + 1); ++i) {
        uint8_t word[4];
        memcpy(word, context->round_keys + 4 * (i - 1), 4);
        if (i % words == 0) {
            uint8_t first = word[0];
            word[0] = substitute[word[1]] ^ constant;
            word[1] = substitute[word[2]];
            word[2] = substitute[word[3]];
            word[3] = substitute[first];
            constant = twice(constant);
        } else if (words > 6 && i % words == 4) {
            for (int j = 0; j < 4; ++j) {
                word[j] = substitute[word[j]];
            }
        }
        for (int j = 0; j < 4; ++j) {
            context->round_keys[4 * i + j] = context->round_keys[4 * (i - words) + j] ^ word[j];
        }
    }
}

void AES_convert_key(AES_CTX *context) {
    (void)context; // deciphering uses the same round keys
}

static void add_key(const AES_CTX *context, int round, uint8_t *state) {
    for (int i = 0; i < 16; ++i) {
        state[i] ^= context->round_keys[16 * round + i];
    }
}

// Sections 5.1.1 and 5.1.2 at once: rows shift by `step` columns a row.
static void substitute_and_shift(uint8_t *state, const uint8_t *table, int step) {
    uint8_t old[16];
    memcpy(old, state, 16);
    for (int i = 0; i < 16; ++i) {
        state[i] = table[old[(i + step * (i % 4)) & 15]];
    }
}

static void mix(uint8_t *state, const uint8_t *factors) {
    for (int column = 0; column < 16; column += 4) {
        uint8_t old[4];
        memcpy(old, state + column, 4);
        for (int row = 0; row < 4; ++row) {
            uint8_t sum = 0;
            for (int i = 0; i < 4; ++i) {
                sum ^= product(old[i], factors[(i - row) & 3]);
            }
            state[column + row] = sum;
        }
    }
}

static void encrypt(const AES_CTX *context, uint8_t *state) {
    static const uint8_t factors[4] = { 2, 3, 1, 1 };
    add_key(context, 0, state);
    for (int round = 1; round <= context->rounds; ++round) {
        substitute_and_shift(state, substitute, 4);
        if (round < context->rounds) {
            mix(state, factors);
        }
        add_key(context, round, state);
    }
}

static void decrypt(const AES_CTX *context, uint8_t *state) {
    static const uint8_t factors[4] = { 14, 11, 13, 9 };
    for (int round = context->rounds; round > 0; --round) {
        add_key(context, round, state);
        if (round < context->rounds) {
            mix(state, factors);
        }
        substitute_and_shift(state, substitute_back, -4);
    }
    add_key(context, 0, state);
}

// The caller gives four words in the machine's order, read as big-endian ones.
static void swap(uint32_t *block) {
    for (int i = 0; i < 4; ++i) {
        block[i] = __builtin_bswap32(block[i]);
    }
}

void AES_encrypt(const AES_CTX *context, uint32_t *block) {
    swap(block);
    encrypt(context, (uint8_t *)block);
    swap(block);
}

void AES_decrypt(const AES_CTX *context, uint32_t *block) {
    swap(block);
    decrypt(context, (uint8_t *)block);
    swap(block);
}

void AES_cbc_encrypt(AES_CTX *context, const uint8_t *in, uint8_t *out, int length) {
    for (; length > 0; length -= 16, in += 16, out += 16) {
        for (int i = 0; i < 16; ++i) {
            context->iv[i] ^= in[i];
        }
        encrypt(context, context->iv);
        memcpy(out, context->iv, 16);
    }
}

void AES_cbc_decrypt(AES_CTX *context, const uint8_t *in, uint8_t *out, int length) {
    for (; length > 0; length -= 16, in += 16, out += 16) {
        uint8_t next_iv[16];
        memcpy(next_iv, in, 16);
        memcpy(out, in, 16);
        decrypt(context, out);
        for (int i = 0; i < 16; ++i) {
            out[i] ^= context->iv[i];
        }
        memcpy(context->iv, next_iv, 16);
    }
}
