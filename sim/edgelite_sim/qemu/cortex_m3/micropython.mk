# Part of MicroPython's build (USER_C_MODULES): the emulated board and its AES.
SRC_USERMOD_C += $(USERMOD_DIR)/board.c $(USERMOD_DIR)/aes.c

