"""What people write into files: names, durations, sizes, fields with types and bounds, and where in a file they are."""
