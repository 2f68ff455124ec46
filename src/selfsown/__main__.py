"""`python -m selfsown` is the command `selfsown`."""

import sys

from selfsown.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
