"""What holds for all pictures together."""

from __future__ import annotations

import subprocess
import sys

import pytest
from perturbx import plots

IMPORTS = """
import sys
import sklearn.base  # brings pandas along where that is installed
before = set(sys.modules)
import perturbx, perturbx.plots, perturbx.interop, perturbx.explanation
heavy = {"matplotlib", "shap", "pandas", "torch"} & (set(sys.modules) - before)
print(*sorted(heavy))
"""


def test_importing_is_light():
    """matplotlib, shap and pandas are imported by the functions that need them."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("name", plots.__all__)
def test_without_matplotlib_the_error_says_how_to_get_it(name, make, photo, found, monkeypatch):
    """An ImportError with the command."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    one = {"overlay": photo, "curves": found}.get(name, lambda: make()[0])()
    with pytest.raises(ImportError, match=r'pip install "perturbx\[plots\]"'):
        getattr(plots, name)(one, show=False)


def test_settings_of_the_user_are_left_alone(make, photo, found):
    """Drawing changes no rcParams."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.bar(make()[0], show=False)
    plots.waterfall(make()[0], show=False)
    plots.overlay(photo(), show=False)
    plots.curves(found(), show=False)
    assert dict(mpl.rcParams) == before
