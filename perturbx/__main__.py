"""``python -m perturbx``."""

import sys

from perturbx.cli import main

if __name__ == "__main__":
    sys.exit(main())
