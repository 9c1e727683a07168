"""Run the command line by `python -m`."""

import sys

from . import main

sys.exit(main())
