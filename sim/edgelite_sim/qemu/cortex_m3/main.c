// Start of the firmware: runs the frozen main.py, and where that ends (or there is none) offers the REPL on UART 0.
#include <stdlib.h>

#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/pyexec.h"

#include "edgelite/board.h"

#define STACK_LIMIT_BYTES (12 * 1024) // of the 16 KB that a board of this class would give

static uint32_t heap[MICROPY_HEAP_SIZE / sizeof(uint32_t)];

int main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    board_init();
    mp_stack_ctrl_init();
    mp_stack_set_limit(STACK_LIMIT_BYTES);
    gc_init(heap, (char *)heap + MICROPY_HEAP_SIZE);
    for (;;) {
        mp_init();
        #if EDGELITE_FROZEN_MAIN
        pyexec_frozen_module("main.py", false);
        #endif
        while (!(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl())) {
        }
        gc_sweep_all();
        mp_deinit();
    }
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
}

void nlr_jump_fail(void *value) {
    (void)value;
    mp_printf(&mp_plat_print, "an exception was raised where none may be\n");
    exit(1);
}
