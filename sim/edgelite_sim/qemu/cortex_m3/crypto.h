// The interface that MicroPython's cryptolib expects of a library for AES; aes.c implements it.
#pragma once

#include <stdint.h>

#define AES_ROUNDS_MAX (14)

typedef enum { AES_MODE_128, AES_MODE_256 } AES_MODE;

typedef struct {
    uint8_t round_keys[(AES_ROUNDS_MAX + 1) * 16];
    uint8_t rounds;
    uint8_t iv[16];
} AES_CTX;

void AES_set_key(AES_CTX *context, const uint8_t *key, const uint8_t *iv, AES_MODE mode);
void AES_convert_key(AES_CTX *context);
void AES_encrypt(const AES_CTX *context, uint32_t *block);
void AES_decrypt(const AES_CTX *context, uint32_t *block);
void AES_cbc_encrypt(AES_CTX *context, const uint8_t *in, uint8_t *out, int length);
void AES_cbc_decrypt(AES_CTX *context, const uint8_t *in, uint8_t *out, int length);
