import argparse

import pytest
from perturbx.cli.options import METHODS, Rows, integer, method, outputs_of, positive
from perturbx.errors import InvalidParameterError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:3", [0, 1, 2]),
        ("7", [7]),
        ("-1", [9]),
        ("3,5,5", [3, 5, 5]),
        (":", list(range(10))),
        ("8:20", [8, 9]),
        ("::4,1", [0, 4, 8, 1]),
        ("-2:", [8, 9]),
    ],
)
def test_rows_are_picked_as_python_does(text, expected):
    """Positions and slices, in the order in which they are named."""
    assert Rows(text).of(10, "rows.csv").tolist() == expected


@pytest.mark.parametrize("text", ["", "a", "1-3", "1.5", "0:5:0", "0:1:2:3", "1,,2"])
def test_rows_that_are_none(text):
    """They are refused before a file is opened."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"positions or ranges|step must not be 0"):
        Rows(text)


@pytest.mark.parametrize(
    ("text", "n", "said"),
    [
        ("10", 10, "there is no row 10: rows.csv has 10 rows, 0 to 9"),
        ("-11", 10, "there is no row -11"),
        ("20:30", 10, "--rows 20:30 picks no row"),
        ("1", 1, "rows.csv has one row, 0"),
    ],
)
def test_rows_beyond_the_end(text, n, said):
    """The error says how many rows there are."""
    with pytest.raises(InvalidParameterError, match=said):
        Rows(text).of(n, "rows.csv")


def test_methods_are_named_as_their_classes():
    """Words with hyphens; a typing error gets a suggestion."""
    assert {"kernel-shap", "lime", "owen-shap", "meaningful-perturbation"} <= set(METHODS)
    assert method("smooth-grad") == "smooth-grad"
    with pytest.raises(argparse.ArgumentTypeError, match="did you mean 'kernel-shap'"):
        method("kernel_shp")


def test_numbers():
    """Digits may be grouped; what is no number of the kind is refused."""
    assert integer(1)("20_000") == integer(1)("20,000") == 20_000
    assert positive("1e-4") == 1e-4
    for read, text in [(integer(1), "0"), (integer(0), "-1"), (integer(0), "1.5"), (positive, "0")]:
        with pytest.raises(argparse.ArgumentTypeError, match="must be a"):
            read(text)
    with pytest.raises(argparse.ArgumentTypeError, match="must be a number above 0"):
        positive("nan")


def test_outputs_are_names_or_positions():
    """A number is a name where an output has it."""
    assert outputs_of(["1"], ("a", "b")) == 1
    assert outputs_of(["1"], ("0", "1")) == "1"
    assert outputs_of(["a", "-1"], ("a", "b")) == ["a", -1]
    assert outputs_of(["top3"], ()) == "top3"
