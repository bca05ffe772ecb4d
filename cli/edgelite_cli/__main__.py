"""`python -m edgelite_cli`, for where the console script is not on the PATH."""

import sys

from edgelite_cli.main import main

sys.exit(main())
