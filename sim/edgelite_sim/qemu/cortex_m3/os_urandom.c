// os.urandom(): the emulated board has no source of chance, the host has. Included by MicroPython's extmod/modos.c.
#include "py/mperrno.h"

#include "edgelite/semihosting.h"

static mp_obj_t mp_os_urandom(mp_obj_t count_in) {
    static int handle = -1;
    if (handle < 0) {
        handle = semihosting_open("/dev/urandom", SEMIHOSTING_READ);
    }
    vstr_t random;
    vstr_init_len(&random, mp_obj_get_int(count_in));
    if (handle < 0 || semihosting_read(handle, random.buf, random.len) != 0) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_obj_new_bytes_from_vstr(&random);
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
