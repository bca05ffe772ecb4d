"""Other implementations that ours are held against: programs and servers for tests and benches."""
