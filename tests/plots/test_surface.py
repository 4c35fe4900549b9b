"""Maps of two features: colors are the interaction, dots are the rows."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError

pd = pytest.importorskip("pandas")


def found(first: str = "age", second: str = "income", k: int = 0) -> Any:
    """Two columns of numbers and one of categories; k outputs (0: no such axis)."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 2)), columns=["age", "income"])
    frame["town"] = rng.choice(["north", "south$", "east"], 300)

    def model(X: Any) -> Any:
        y = X["age"] * X["income"] + X["age"] * (X["town"] == "east")
        return np.stack([np.asarray(y)] * k, axis=1) if k else y

    return px.Effects(model).fit(frame).interaction(first, second)


@pytest.mark.parametrize("pair", [("age", "income"), ("age", "town"), ("town", "age")])
def test_colors_are_the_interaction(pair: tuple[str, str]) -> None:
    """Of numbers between their first and last point, of categories by name."""
    surface = found(*pair)
    ax = plots.surface(surface, show=False)
    np.testing.assert_array_equal(np.ravel(ax.collections[0].get_array()), surface.values.T.ravel())
    low, high = ax.collections[0].get_clim()
    assert low == -high
    assert (ax.get_xlabel(), ax.get_ylabel()) == pair
    for is_number, ends, limits, labels, grid in zip(
        surface.are_numbers,
        surface.positions,
        (ax.get_xlim(), ax.get_ylim()),
        (ax.get_xticklabels(), ax.get_yticklabels()),
        surface.grids,
        strict=True,
    ):
        if is_number:
            assert limits == (ends[0], ends[-1])
        else:
            names = [label.get_text() for label in labels]
            assert names == [cell.replace("$", r"\$") for cell in grid]
    ax.figure.canvas.draw()


def test_dots_are_rows() -> None:
    """At most so many as asked for; those of categories within their cells."""
    surface = found("age", "town")
    dots = plots.surface(surface, rows=50, show=False).lines[0].get_xydata()
    assert len(dots) == 50
    assert np.isin(dots[:, 0], surface.data[:, 0]).all()
    assert (np.abs(dots[:, 1] - np.round(dots[:, 1])) <= 0.35).all()


def test_one_output_on_any_background(shows: list[Any]) -> None:
    """Several outputs need a choice; text is light in a dark style; own axes are used."""
    surface = found(k=2)
    with pytest.raises(InvalidParameterError, match="choose one"):
        plots.surface(surface)
    with plt.style.context("dark_background"):
        _, own = plt.subplots()
        ax = plots.surface(surface, output="output 1", ax=own)
    assert ax is own
    assert len(shows) == 1
    assert ax.xaxis.label.get_color() == "#e8e8e8"
    with pytest.raises(InvalidParameterError, match="EffectSurface"):
        plots.surface(surface.values)
