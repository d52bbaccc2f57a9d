"""`python -m swinkit` is the `swinkit` command."""

import sys

from .cli.main import main

sys.exit(main())
