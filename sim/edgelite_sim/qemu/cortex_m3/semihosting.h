// Files of the host, by Arm's semihosting (Arm "Semihosting for AArch32 and AArch64", operations SYS_*).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SEMIHOSTING_READ (1)        // "rb"
#define SEMIHOSTING_READ_WRITE (3)  // "r+b": the file must be there

static inline int semihosting_call(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm__ ("r0") = operation;
    register const void *r1 __asm__ ("r1") = arguments;
    __asm volatile ("bkpt 0xab" : "+r" (r0) : "r" (r1) : "memory");
    return (int)r0;
}

// A handle, or -1.
static inline int semihosting_open(const char *name, uint32_t mode) {
    uint32_t arguments[3] = { (uint32_t)name, mode, strlen(name) };
    return semihosting_call(0x01, arguments);
}

// How many of the bytes were not written, or not read.
static inline int semihosting_write(int handle, const void *bytes, size_t length) {
    uint32_t arguments[3] = { handle, (uint32_t)bytes, length };
    return semihosting_call(0x05, arguments);
}

static inline int semihosting_read(int handle, void *buffer, size_t length) {
    uint32_t arguments[3] = { handle, (uint32_t)buffer, length };
    return semihosting_call(0x06, arguments);
}

static inline int semihosting_seek(int handle, uint32_t offset) {
    uint32_t arguments[2] = { handle, offset };
    return semihosting_call(0x0a, arguments);
}

static inline int semihosting_size(int handle) {
    uint32_t arguments[1] = { handle };
    return semihosting_call(0x0c, arguments);
}
