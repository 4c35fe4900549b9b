import re

import pytest

pd = pytest.importorskip("pandas")

TABLE = ("metrics", "--predict", "clerk:predict", "--data", "rows.csv", "--drop", "id")


def test_methods_are_compared(folder, perturbx):
    """The table has each method and a random order, and the file has its numbers."""
    status, text, _ = perturbx(
        *TABLE, "--rows", "0:6", "--methods", "kernel-shap,lime", "--out", "a.csv"
    )
    assert status == 0
    assert re.search(r"kernel-shap .*\n +lime .*\n +\(random\)", text)
    found = pd.read_csv("a.csv")
    assert set(found["explainer"]) == {"kernel-shap", "lime", "(random)"}
    assert set(found["metric"]) == {"deletion", "insertion", "sensitivity-n"}


@pytest.mark.parametrize("metrics", ["deletion,insertion", "sensitivity-n,stability"])
def test_the_cost_is_told_before(folder, perturbx, metrics):
    """Rows to explain and to measure are what is then spent, up to a few shared rows."""
    command = (*TABLE, "--rows", "0:6", "--metrics", metrics, "--budget", "60")
    status, text, _ = perturbx(*command, "--dry-run", "--price-per-row", "2")
    import clerk

    assert status == 0
    told = re.fullmatch(
        r"cost: ([\d,]+) model rows to explain, about ([\d,]+) to measure: about (.*)\n", text
    )
    explaining, measuring, money = (float(number.replace(",", "")) for number in told.groups())
    assert money == 2 * (explaining + measuring)
    assert sum(clerk.calls) <= 6
    clerk.calls.clear()
    assert perturbx(*command)[0] == 0
    assert sum(clerk.calls) == pytest.approx(explaining + measuring, rel=0.25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--methods", "lyme"), "there is no method 'lyme': did you mean 'lime'?"),
        (("--metrics", "deletoin"), "there is no metric 'deletoin': did you mean 'deletion'?"),
        (("--out", "a.npz"), "--out: must end in .csv"),
        (("--budget", "3"), "budget=3 is too small"),
        (("--output", "joy"), "No output is named 'joy'"),
    ],
)
def test_what_cannot_be_compared(folder, perturbx, options, said):
    """Refused with status 2."""
    status, text, error = perturbx(*TABLE, *options)
    assert (status, text) == (2, "")
    assert said in error
