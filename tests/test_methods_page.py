"""docs/methods.md: every method has a row, and the prices in it are those that are paid."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import perturbx as px
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): cells[1:]
    for cells in (
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in PAGE.partition("## What they cost")[0].splitlines()
        if line.startswith("| `")
    )
}
NO_METHODS = {"Explanation", "archive", "interop", "metrics", "plots"}
"""What is exported besides methods and maskers: the result, and modules."""

prices = pytest.importorskip("benchmarks.tables.method_prices")


def test_every_method_has_a_row():
    """A method that is added needs a row, and a row a method."""
    rooms = "perturbx.maskers.", "perturbx.features."
    parts = {n for n in px.__all__ if _room(n).startswith(rooms)}
    assert set(ROWS) == set(px.__all__) - parts - NO_METHODS


def _room(name: str) -> str:
    return getattr(getattr(px, name), "__module__", "") + "."


def test_every_cell_is_filled():
    assert {len(cells) for cells in ROWS.values()} == {5, 3}
    assert [name for name, cells in ROWS.items() if not all(cells)] == []


def stated(name: str) -> set[int]:
    """The numbers in the column of prices."""
    return {int(n.replace(",", "")) for n in re.findall(r"\b\d[\d,]*", ROWS[name][2])}


MEASURED = {**prices.TABLE, "MinimalSets": prices.IMAGE["MinimalSets"]}


def test_every_price_is_measured():
    assert set(MEASURED) | {"Explainer"} == {name for name, cells in ROWS.items() if len(cells) > 3}


def named(names: Iterable[str], slow: set[str]) -> list[Any]:
    """Parameters, of which some take seconds."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in slow)) for name in names]


@pytest.mark.parametrize("name", named(MEASURED, {"AmortizedShap"}))
def test_prices_are_those_that_are_paid(name):
    """Without a budget, and with the smallest, below which the method refuses."""
    subject = prices.table() if name in prices.TABLE else prices.image()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = prices.price(MEASURED[name], subject, 2)
    also = {"AmortizedShap": {found.fit_rows}}
    assert stated(name) == {found.rows, found.least} | also.get(name, set())


MEASURED_IMAGE = {
    cells[0].strip("` "): cells
    for cells in (
        [cell.strip() for cell in line[1:-1].split("|")]
        for line in PAGE.partition("### An image")[2].splitlines()
        if line.startswith("| `")
    )
}


def test_every_method_for_images_is_measured():
    assert set(MEASURED_IMAGE) == set(prices.IMAGE)


@pytest.mark.parametrize("name", named(prices.IMAGE, {"KernelShap", "MeaningfulPerturbation"}))
def test_prices_of_an_image_are_those_that_are_paid(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = prices.price(prices.IMAGE[name], prices.image(), 1)
    assert MEASURED_IMAGE[name][5] == f"{found.rows:,} ({found.least:,})"


LOCAL = [name for name, method in prices.TABLE.items() if not method.of_all]


@pytest.mark.parametrize(
    "name", named((n for n in LOCAL if hasattr(getattr(px, n), "estimate_cost")), {"AmortizedShap"})
)
def test_prices_are_those_that_are_estimated(name):
    """`estimate_cost` says the same as the page, or a bound of it."""
    subject = prices.table()
    made = prices.fitted(prices.TABLE[name], subject, prices.Meter(subject.score))
    estimate = made.estimate_cost(subject.rows[0])
    paid = int(ROWS[name][2].split(" ")[0].rstrip(",").replace(",", ""))
    assert estimate.n_rows == paid or (estimate.may_stop_earlier and estimate.n_rows >= paid)
