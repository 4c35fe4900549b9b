"""The command line: ``perturbx explain``, ``text``, ``metrics`` and ``demo``."""

from perturbx.cli.commands import main as main
