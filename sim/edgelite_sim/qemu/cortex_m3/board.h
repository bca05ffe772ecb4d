// The emulated board (Arm MPS2 with a Cortex-M3): clock, second UART, a host file in place of flash.
#pragma once

void board_init(void);
