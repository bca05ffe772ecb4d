// What an agent needs beyond the defaults of MicroPython's QEMU port; the build appends its own options to this file.
#include "mpconfigport_qemu.h"

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)

#define MICROPY_PY_HASHLIB (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)
#define MICROPY_PY_BINASCII (1)
#define MICROPY_PY_BINASCII_CRC32 (1)
#define MICROPY_PY_OS (1)
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_OS_INCLUDEFILE "edgelite/os_urandom.c"

// AES by the block function of edgelite/aes.c, behind the interface that the port expects of a library.
#define MICROPY_PY_CRYPTOLIB (1)
#define MICROPY_SSL_AXTLS (1)

// Frozen modules hold no line numbers of the host's paths, but errors should say where they come from.
#define MICROPY_ENABLE_SOURCE_LINE (1)
