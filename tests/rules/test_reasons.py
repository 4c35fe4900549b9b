"""Reasons are told apart only where intervals say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.typing import ArrayLike
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.rules import Reasons


def _explanation(values: ArrayLike, errors: ArrayLike, **other: Any) -> px.Explanation:
    values = np.asarray(values, dtype=float)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: len(values)])
    return px.Explanation(
        values=values,
        standard_errors=np.broadcast_to(np.asarray(errors, dtype=float), values.shape),
        base_values=np.asarray(0.0),
        predictions=np.asarray(values.sum()),
        data=other.pop("data", np.arange(len(values))),
        feature_names=names,
        output_names=("approved",),
        axes=("feature",),
        method="KernelShap: 10 coalitions",
        value_function="absent features from 10 background rows",
        n_rows=10,
        n_calls=1,
        **other,
    )


def _names(found: Reasons) -> list[list[str]]:
    return [[reason.feature for reason in group] for group in found.groups]


def test_separated_reasons_are_ranked() -> None:
    """Strongest first, by size, and the sentence says in which order."""
    found = px.reasons(_explanation([1.0, -4.0, 2.0, 3.0, 0.5], 0.01), k=3)
    assert _names(found) == [["b"], ["d"], ["c"]]
    assert found.is_separated
    assert str(found) == (
        "The three strongest reasons behind 'approved' are, in this order, b (1), d (3) and c (2)."
    )


def test_the_other_side_is_left_out() -> None:
    """sign=-1 is what spoke against, sign=1 what spoke for."""
    explanation = _explanation([1.0, -4.0, 2.0, -3.0, -0.5], 0.01)
    assert _names(px.reasons(explanation, 2, sign=-1)) == [["b"], ["d"]]
    assert _names(px.reasons(explanation, 1, sign=1)) == [["c"]]
    assert str(px.reasons(explanation, 1, sign=-1)) == (
        "The strongest reason against 'approved' is b (1)."
    )


def test_ties_are_named_and_complete() -> None:
    """c, d and e cannot be told apart: "top 3" is not claimed, and all three are there."""
    found = px.reasons(_explanation([9.0, 6.0, 3.1, 3.0, 2.9, 0.1], 0.1), k=3)
    assert _names(found) == [["a"], ["b"], ["c", "d", "e"]]
    assert not found.is_separated
    assert [(r.first, r.last) for r in found.reasons] == [(1, 1), (2, 2), *[(3, 5)] * 3]
    assert str(found) == (
        "The two strongest reasons behind 'approved' are, in this order, a (0) and b (1). "
        "Three more are tied: c (2), d (3) and e (4)."
    )


def test_a_tie_within_the_first_k_is_named_too() -> None:
    """The set of three is known, the order of two of them is not."""
    found = px.reasons(_explanation([9.0, 6.1, 6.0, 1.0], 0.1), k=3)
    assert found.is_separated
    assert str(found) == (
        "The three strongest reasons behind 'approved' are a (0), b (1) and c (2). "
        "b (1) and c (2) are tied."
    )


def test_ties_are_chains() -> None:
    """a and c differ, but b is tied with both: nothing separates the three."""
    found = px.reasons(_explanation([3.0, 2.5, 2.0, 0.5], [0.12, 0.12, 0.12, 0.01]), k=1)
    assert _names(found) == [["a", "b", "c"]]
    assert str(found) == (
        "The three strongest reasons behind 'approved' are tied: a (0), b (1) and c (2)."
    )


def test_equal_exact_scores_are_tied() -> None:
    """Without any error equal scores are equal, up to rounding."""
    found = px.reasons(_explanation([2.0, 1.0, 1.0 + 1e-14, 0.5], 0.0), k=2)
    assert _names(found) == [["a"], ["c", "b"]]


def test_a_score_around_zero_is_no_reason() -> None:
    """It is left out and counted, also where it may be as strong as a reason that is listed."""
    found = px.reasons(_explanation([3.0, 1.0, 0.1, 0.0], [0.1, 0.1, 0.1, 0.0]), k=4)
    assert _names(found) == [["a"], ["b"]]
    assert (found.n_unclear, found.n_as_strong) == (2, 0)
    assert str(found) == (
        "Only two reasons behind 'approved' are known to differ from zero: in this order, a (0) "
        "and b (1)."
    )
    wide = px.reasons(_explanation([3.0, 1.0, 0.5], [0.1, 0.1, 0.6]), k=2)
    assert _names(wide) == [["a"], ["b"]]
    assert not wide.is_separated
    assert wide.n_as_strong == 1
    assert str(wide).endswith("The effect of one feature is not known, and may be as strong.")


def test_no_reason_at_all() -> None:
    found = px.reasons(_explanation([0.1, -0.1], 1.0), sign=-1)
    assert len(found) == 0
    assert not found.is_separated
    assert str(found) == "No reason against 'approved' is known to differ from zero."


def _false_claims(truth: np.ndarray[Any, Any], found: Reasons) -> bool:
    """Whether a rank is wrong, or a "reason" has the other sign."""
    names = list("abcdefghijklmnopqrstuvwxyz"[: len(truth)])
    listed = {r.feature: r for r in found.reasons}
    if any(truth[names.index(f)] * r.score <= 0 for f, r in listed.items()):
        return True
    size = dict(zip(names, np.abs(truth), strict=True))
    for name, reason in listed.items():
        weaker = [f for f, r in listed.items() if r.first > reason.last]
        if found.is_separated:
            weaker += [f for f in names if f not in listed]
        if any(size[name] < size[f] for f in weaker):
            return True
    return False


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.99])
def test_false_separations_are_rare(correlation: float) -> None:
    """At most 5% of 600 explanations claim anything false, however errors are correlated."""
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 1.0, -1.0, 0.95, 0.5, 0.5, 0.0, 0.0])
    false = claims = 0
    for _ in range(600):
        shared = rng.normal() * np.where(np.arange(8) % 2, np.sign(correlation), 1.0)
        own = rng.normal(size=8)
        weight = abs(correlation)
        noise = np.sqrt(weight) * shared + np.sqrt(1 - weight) * own
        found = px.reasons(_explanation(truth + 0.08 * noise, 0.08), k=4)
        false += _false_claims(truth, found)
        claims += found.is_separated
    assert false <= 30
    assert claims > 60  # there is something to be wrong about


def test_few_degrees_of_freedom_make_wider_intervals() -> None:
    """The intervals are those of the explanation, each at the level that all of them need."""
    explanation = _explanation([2.0, 1.0], 0.1, degrees_of_freedom=3.0)
    found = px.reasons(explanation, 1)
    low, high = explanation.interval(0.975)
    wide = max(found.reasons, key=lambda r: r.score)
    assert (wide.lower, wide.upper) == pytest.approx((low[0], high[0]))


def test_one_output_of_a_row_of_a_real_explanation() -> None:
    """Exact values of a linear model, ranked as its terms are."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = lambda X: np.stack([X @ [3.0, 2.0, 1.0], -X[:, 0]], axis=1)  # noqa: E731
    explanation = px.KernelShap(model, output_names=["up", "down"]).fit(X).explain([[2.0] * 3])
    found = px.reasons(explanation, 3, output="up")
    assert _names(found) == [["x0"], ["x1"], ["x2"]]
    frame = found.to_frame()
    assert frame["feature"].tolist() == ["x0", "x1", "x2"]
    assert "every claim holds together with a probability of 95%" in repr(found)
    with pytest.raises(InvalidParameterError, match="2 outputs were explained"):
        px.reasons(explanation)


def test_bad_input() -> None:
    """Each is refused with what is wrong."""
    good = _explanation([1.0, 2.0], 0.1)
    for settings, message in [
        ({"k": 0}, "k must be an integer of at least 1"),
        ({"sign": 2}, "sign must be 1"),
        ({"sign": True}, "sign must be 1"),
        ({"level": 95}, "level must be a number above 0 and below 1"),
    ]:
        with pytest.raises(InvalidParameterError, match=message):
            px.reasons(good, **settings)
    with pytest.raises(InvalidParameterError, match="explanation must be an Explanation"):
        px.reasons(np.ones(3))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="NaN"):
        px.reasons(_explanation([1.0, 2.0], [0.1, np.nan]))
    with pytest.raises(InvalidParameterError, match="slopes"):
        px.reasons(replace(good, score_kind="slopes"))
    with pytest.raises(InvalidParameterError, match="compared with all other features"):
        px.reasons(good["a"])
    X = np.random.default_rng(0).normal(size=(20, 2))
    many = px.KernelShap(lambda X: X[:, 0]).fit(X).explain(X[:3])
    with pytest.raises(InvalidParameterError, match=r"has 3: use reasons\(explanation\[i\]\)"):
        px.reasons(many)
