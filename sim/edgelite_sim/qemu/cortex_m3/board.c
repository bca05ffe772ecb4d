// The emulated board (Arm MPS2, AN385): registers as in Arm's application note AN385 and the CMSDK's manual.
//
// Python sees the module `_board`:
//   uart_read(buffer) -> int         bytes that UART 1 had for it; 0 where there are none now
//   uart_write(bytes)                all of it; UART 1 takes it as fast as its other end does
//   wait_ms(ms)                      sleep until UART 1 has a byte or the time is over (at most 500 ms)
//   flash_read(offset, buffer)       from the file `flash.bin` in the emulator's working folder
//   flash_write(offset, bytes)
//   flash_size() -> int              0 where there is no such file
#include <string.h>

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"

#include "edgelite/board.h"
#include "edgelite/semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define CYCLES_PER_MS (25000)
#define CYCLES_PER_US (25)

// ---- the clock: the board's counter of milliseconds, which needs no interrupt

#define FPGAIO_COUNTER REGISTER(0x40028018)
#define FPGAIO_PRESCALE REGISTER(0x4002801c)
#define FPGAIO_PRESCALE_COUNTER REGISTER(0x40028020)

// ---- sleeping: SysTick and UART 1 become pending and so end a WFI; no handler runs, as interrupts stay masked

#define SYSTICK_CONTROL REGISTER(0xe000e010) // bit 0 enable, 1 interrupt, 2 processor clock
#define SYSTICK_RELOAD REGISTER(0xe000e014)
#define SYSTICK_CURRENT REGISTER(0xe000e018)
#define INTERRUPT_CONTROL REGISTER(0xe000ed04)
#define INTERRUPT_CONTROL_SYSTICK_CLEAR (1 << 25)
#define NVIC_ENABLE REGISTER(0xe000e100)
#define NVIC_PENDING_CLEAR REGISTER(0xe000e280)
#define NVIC_UART1_RECEIVE (1 << 2)
#define WAIT_MS_MAX (500) // SysTick has 24 bits: 671 ms

// ---- UART 1

#define UART1_DATA REGISTER(0x40005000)
#define UART1_STATE REGISTER(0x40005004)
#define UART1_CONTROL REGISTER(0x40005008)
#define UART1_INTERRUPTS REGISTER(0x4000500c)
#define UART1_BAUD_DIVIDER REGISTER(0x40005010)
#define UART_STATE_TRANSMIT_FULL (1 << 0)
#define UART_STATE_RECEIVE_FULL (1 << 1)
#define UART_CONTROL_BOTH_AND_RECEIVE_INTERRUPT ((1 << 0) | (1 << 1) | (1 << 3))
#define UART_INTERRUPT_RECEIVE (1 << 1)

void board_init(void) {
    __asm volatile ("cpsid i");
    FPGAIO_PRESCALE = CYCLES_PER_MS - 1;
    FPGAIO_COUNTER = 0;
    UART1_BAUD_DIVIDER = 16;
    UART1_CONTROL = UART_CONTROL_BOTH_AND_RECEIVE_INTERRUPT;
    NVIC_ENABLE = NVIC_UART1_RECEIVE;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return FPGAIO_COUNTER;
}

mp_uint_t mp_hal_ticks_us(void) {
    for (;;) {
        uint32_t ms = FPGAIO_COUNTER;
        uint32_t left = FPGAIO_PRESCALE_COUNTER;
        if (ms == FPGAIO_COUNTER) {
            return ms * 1000 + (CYCLES_PER_MS - 1 - left) / CYCLES_PER_US;
        }
    }
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return mp_hal_ticks_us();
}

static bool uart_has_byte(void) {
    return UART1_STATE & UART_STATE_RECEIVE_FULL;
}

static void sleep_ms(uint32_t ms, bool until_uart) {
    if (ms == 0 || (until_uart && uart_has_byte())) {
        return;
    }
    SYSTICK_RELOAD = ms * CYCLES_PER_MS - 1;
    SYSTICK_CURRENT = 0;
    INTERRUPT_CONTROL = INTERRUPT_CONTROL_SYSTICK_CLEAR;
    SYSTICK_CONTROL = 7;
    uint32_t start_ms = mp_hal_ticks_ms();
    while (mp_hal_ticks_ms() - start_ms < ms && !(until_uart && uart_has_byte())) {
        __asm volatile ("wfi");
        UART1_INTERRUPTS = UART_INTERRUPT_RECEIVE;
        NVIC_PENDING_CLEAR = NVIC_UART1_RECEIVE;
        if (INTERRUPT_CONTROL & (1 << 26)) { // SysTick is pending: the time is over
            break;
        }
    }
    SYSTICK_CONTROL = 0;
    INTERRUPT_CONTROL = INTERRUPT_CONTROL_SYSTICK_CLEAR;
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint32_t start_ms = mp_hal_ticks_ms();
    for (;;) {
        mp_handle_pending(true);
        uint32_t passed_ms = mp_hal_ticks_ms() - start_ms;
        if (passed_ms >= ms) {
            return;
        }
        sleep_ms(MIN(ms - passed_ms, WAIT_MS_MAX), false);
    }
}

void mp_hal_delay_us(mp_uint_t us) {
    uint32_t start_us = mp_hal_ticks_us();
    while (mp_hal_ticks_us() - start_us < us) {
    }
}

static mp_obj_t board_wait_ms(mp_obj_t ms_in) {
    mp_int_t ms = mp_obj_get_int(ms_in);
    sleep_ms(ms < 0 ? 0 : MIN(ms, WAIT_MS_MAX), true);
    mp_handle_pending(true);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(board_wait_ms_obj, board_wait_ms);

static mp_obj_t board_uart_read(mp_obj_t buffer_in) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(buffer_in, &buffer, MP_BUFFER_WRITE);
    size_t count = 0;
    while (count < buffer.len && uart_has_byte()) {
        ((uint8_t *)buffer.buf)[count++] = UART1_DATA;
    }
    return MP_OBJ_NEW_SMALL_INT(count);
}
static MP_DEFINE_CONST_FUN_OBJ_1(board_uart_read_obj, board_uart_read);

static mp_obj_t board_uart_write(mp_obj_t bytes_in) {
    mp_buffer_info_t bytes;
    mp_get_buffer_raise(bytes_in, &bytes, MP_BUFFER_READ);
    for (size_t i = 0; i < bytes.len; ++i) {
        while (UART1_STATE & UART_STATE_TRANSMIT_FULL) {
        }
        UART1_DATA = ((uint8_t *)bytes.buf)[i];
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(board_uart_write_obj, board_uart_write);

// ---- flash: a file of the host, opened once

static int flash_file(void) {
    static int handle = -1;
    if (handle < 0) {
        handle = semihosting_open("flash.bin", SEMIHOSTING_READ_WRITE);
    }
    return handle;
}

static void flash_seek(mp_obj_t offset_in, size_t length) {
    mp_int_t offset = mp_obj_get_int(offset_in);
    int size = flash_file() < 0 ? 0 : semihosting_size(flash_file());
    if (offset < 0 || offset + (mp_int_t)length > size) {
        mp_raise_ValueError(MP_ERROR_TEXT("beyond the flash"));
    }
    if (semihosting_seek(flash_file(), offset) != 0) {
        mp_raise_OSError(MP_EIO);
    }
}

static mp_obj_t board_flash_read(mp_obj_t offset_in, mp_obj_t buffer_in) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(buffer_in, &buffer, MP_BUFFER_WRITE);
    flash_seek(offset_in, buffer.len);
    if (semihosting_read(flash_file(), buffer.buf, buffer.len) != 0) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(board_flash_read_obj, board_flash_read);

static mp_obj_t board_flash_write(mp_obj_t offset_in, mp_obj_t bytes_in) {
    mp_buffer_info_t bytes;
    mp_get_buffer_raise(bytes_in, &bytes, MP_BUFFER_READ);
    flash_seek(offset_in, bytes.len);
    if (semihosting_write(flash_file(), bytes.buf, bytes.len) != 0) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(board_flash_write_obj, board_flash_write);

static mp_obj_t board_flash_size(void) {
    return MP_OBJ_NEW_SMALL_INT(flash_file() < 0 ? 0 : semihosting_size(flash_file()));
}
static MP_DEFINE_CONST_FUN_OBJ_0(board_flash_size_obj, board_flash_size);

static const mp_rom_map_elem_t board_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__board) },
    { MP_ROM_QSTR(MP_QSTR_wait_ms), MP_ROM_PTR(&board_wait_ms_obj) },
    { MP_ROM_QSTR(MP_QSTR_uart_read), MP_ROM_PTR(&board_uart_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_uart_write), MP_ROM_PTR(&board_uart_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_read), MP_ROM_PTR(&board_flash_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_write), MP_ROM_PTR(&board_flash_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_size), MP_ROM_PTR(&board_flash_size_obj) },
};
static MP_DEFINE_CONST_DICT(board_globals, board_globals_table);

const mp_obj_module_t mp_module_board = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&board_globals,
};
MP_REGISTER_MODULE(MP_QSTR__board, mp_module_board);
