"""These run under a MicroPython with ffi alone; ../test_ffi_micropython.py starts them."""

collect_ignore_glob = ["test_*.py"]
