"""The principal reasons for an output: scores that are told apart by their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from perturbx._rounding import DOUBLE
from perturbx._typing import Floats
from perturbx._validation import check_integer, check_kind, check_number, invalid, needed
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.result import Explanation, one_output, without_rounding
from perturbx.result.text import numbers, shorten, show

if TYPE_CHECKING:
    import pandas as pd

Sign: TypeAlias = Literal[1, -1] | None

_COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]

_SIDES = {1: "for", -1: "against", None: "behind"}


@dataclass(frozen=True)
class Reason:
    """One feature, and where it stands among the reasons.

    Parameters
    ----------
    feature : str
    value : object
        What the feature is in the instance; None where it is part of an image or text.
    score, lower, upper : float
        The score, and its interval, which holds together with those of all other features.
    first, last : int
        The ranks, from 1, that the feature may have: it is tied with those of the same ranks.
    """

    feature: str
    value: Any
    score: float
    lower: float
    upper: float
    first: int
    last: int

    @property
    def is_tied(self) -> bool:
        """Whether it cannot be told from another one."""
        return self.last > self.first

    def __str__(self) -> str:
        name = shorten(self.feature, 40)
        return name if self.value is None else f"{name} ({show(self.value)})"


@dataclass(frozen=True, eq=False, repr=False)
class Reasons:
    """The strongest reasons for or against an output, and which of them are told apart.

    Parameters
    ----------
    reasons : tuple of Reason
        Strongest first. The last ties are complete, so that there may be more than `k`; there are
        fewer where no other score is known to differ from 0.
    k : int
        As it was asked for.
    sign : 1, -1 or None
        Reasons for, against, or both.
    output : str
    is_separated : bool
        Whether exactly `k` reasons are stronger than all others.
    n_features, n_unclear, n_as_strong : int
        All features; those whose interval has 0 in it, which are no reasons; and those of them
        that may still be as strong as the last reasons.
    level : float
        The probability that every claim is true.
    method, value_function : str
        Of the explanation.
    """

    reasons: tuple[Reason, ...]
    k: int
    sign: Sign
    output: str
    is_separated: bool
    n_features: int
    n_unclear: int
    n_as_strong: int
    level: float
    method: str
    value_function: str

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def groups(self) -> tuple[tuple[Reason, ...], ...]:
        """The reasons in groups of ties, each stronger than all of the next."""
        ranks = dict.fromkeys(reason.first for reason in self.reasons)
        return tuple(tuple(r for r in self.reasons if r.first == rank) for rank in ranks)

    @property
    def text(self) -> str:
        """The reasons in sentences."""
        side = f"{_SIDES[self.sign]} {self.output!r}"
        if not self.reasons:
            return f"No reason {side} is known to differ from zero."
        *sure, last = self.groups
        named = [reason for group in sure for reason in group]
        if len(self) <= self.k:
            sure, named, last = [*sure, last], list(self.reasons), ()
        said = [self._named(side, named)] if named else []
        said += [_tie(group) for group in sure if len(group) > 1]
        if last and named:
            said += [f"{_count(len(last)).capitalize()} more are tied: {_listed(last)}."]
        elif last:
            said += [f"The {_count(len(last))} strongest reasons {side} are tied: {_listed(last)}."]
        if self.n_as_strong:
            features = "one feature" if self.n_as_strong == 1 else f"{self.n_as_strong} features"
            said += [f"The effect of {features} is not known, and may be as strong."]
        return " ".join(said)

    def _named(self, side: str, named: Sequence[Reason]) -> str:
        """The sentence of the reasons that are stronger than all others, as far as is known."""
        n, is_one = len(named), len(named) == 1
        order = " in this order," if 1 < n == len({r.first for r in named}) else ""
        if len(self) < self.k or self.n_as_strong:
            what = "reason" if is_one else "reasons"
            verb = "is" if is_one else "are"
            comma = "," * bool(order)
            return (
                f"Only {_count(n)} {what} {side} {verb} known to differ from zero:"
                f"{order.rstrip(',')}{comma} {_listed(named)}."
            )
        if is_one:
            return f"The strongest reason {side} is {_listed(named)}."
        return (
            f"The {_count(n)} strongest reasons {side} are{order and f',{order}'} {_listed(named)}."
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame: a row for each reason, strongest first.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        names = ("feature", "value", "score", "lower", "upper", "first", "last")
        columns = {name: [getattr(r, name) for r in self.reasons] for name in names}
        frame: pd.DataFrame = pandas.DataFrame(columns)
        return frame

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        lines = [self.text, f"  {self.method}, {self.value_function}"]
        lines += [f"  every claim holds together with a probability of {100 * self.level:g}%"]
        texts = numbers([x for r in self.reasons for x in (r.score, r.lower, r.upper)])
        for place, reason in enumerate(self.reasons):
            score, low, high = texts[3 * place : 3 * place + 3]
            rank = f"{reason.first}" + f"–{reason.last}" * reason.is_tied
            lines.append(f"  {rank:>5}  {reason}  {score} [{low}, {high}]")
        if self.n_unclear:
            lines.append(
                f"  {self.n_unclear} of {self.n_features} features have intervals around 0"
            )
        return "\n".join(lines)


def reasons(
    explanation: Explanation,
    k: int = 4,
    *,
    sign: Sign = None,
    output: int | str | None = None,
    level: float = 0.95,
) -> Reasons:
    """The k principal reasons behind the output for one instance, as far as they are told apart.

    Parameters
    ----------
    explanation : Explanation
        Of one instance, such as ``explanation[0]``.
    k : int
        How many reasons are asked for.
    sign : 1, -1 or None
        What spoke for the output, against it, or either, by the size of the score.
    output : int, str or None
        Which output, if several were explained.
    level : float
        The probability that all claims are true.

    Returns
    -------
    Reasons
        ``text`` can be sent to the person who is concerned.

    Raises
    ------
    InvalidParameterError
        If there are several instances or outputs, if scores are slopes, or if k, sign or level is
        invalid.
    InvalidInputError
        If a standard error is unknown.

    Notes
    -----
    Two scores are told apart if their intervals do not overlap, so that their errors are added:
    nothing is assumed about how they are correlated. The interval of each of d features has the
    level ``1 - (1 - level) / d`` (Bonferroni). All of them cover together with a probability of at
    least `level`, and then every separation is true, and so is every sign. The intervals are
    about the perturbations that were tried; `Explanation.background_errors` are not part of them.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = lambda X: 2 * X[:, 0] - X[:, 1] + 0.5 * X[:, 2]
    >>> explainer = px.KernelShap(model, feature_names=["income", "debt", "age", "zip"])
    >>> found = px.reasons(explainer.fit(X).explain([1.0, 2.0, 0.5, 0.0]), k=2)
    >>> print(found)
    The two strongest reasons behind 'output' are, in this order, income (1) and debt (2).
    """
    explanation = _checked(explanation, k, sign, output, level)
    values, half = explanation.values, _half_widths(explanation, level)
    oriented, ends = _sizes(values, half, sign)
    is_reason = ends[0] > 0
    order = np.lexsort((-oriented, ~is_reason))[: int(is_reason.sum())]
    unclear = np.abs(values) <= half
    rest = ends[1][unclear].max(initial=-np.inf)
    cuts = _separations(ends[0][order], ends[1][order], rest)
    stop = next((cut for cut in cuts if cut >= k), len(order))
    found = []
    for first, last in zip([0, *cuts], cuts, strict=False):
        if last > stop:
            break
        for i in order[first:last].tolist():
            interval = float(values[i] - half[i]), float(values[i] + half[i])
            name, value = explanation.feature_names[i], _value(explanation, i)
            found.append(Reason(name, value, float(values[i]), *interval, first + 1, last))
    least = ends[0][order[: len(found)]].min(initial=np.inf)
    as_strong = int((ends[1][unclear] >= least).sum())
    return Reasons(
        reasons=tuple(found),
        k=k,
        sign=sign,
        output=str(np.ravel(explanation.output_names)[0]),
        is_separated=len(found) == k and not as_strong,
        n_features=len(values),
        n_unclear=int(unclear.sum()),
        n_as_strong=as_strong,
        level=level,
        method=explanation.method_name,
        value_function=explanation.value_function,
    )


def _checked(explanation: Any, k: Any, sign: Any, output: Any, level: Any) -> Explanation:
    check_kind("explanation", explanation, Explanation, "an Explanation, as explain returns it")
    check_integer("k", k, minimum=1)
    check_number("level", level, above=0, below=1)
    if sign is not None and (isinstance(sign, bool) or sign not in (1, -1)):
        raise invalid("sign", "1 (for), -1 (against) or None (either)", sign)
    if "instance" in explanation.axes:
        if len(explanation) != 1:
            raise InvalidParameterError(
                f"Reasons are those of one instance, and this explanation has {len(explanation)}: "
                "use reasons(explanation[i])."
            )
        explanation = explanation[0]
    if "feature" not in explanation.axes:
        raise InvalidParameterError(
            "Reasons are compared with all other features, and this explanation is of one: pass "
            "it whole."
        )
    if explanation.score_kind != "shares":
        raise InvalidParameterError(
            f"The scores of {explanation.method_name} are slopes, which tell what a change would "
            "do and not what spoke for the output: use a method of shares, such as px.KernelShap."
        )
    one: Explanation = without_rounding(one_output(explanation, output))
    if np.isnan(one.values).any() or np.isnan(one.standard_errors).any():
        raise InvalidInputError(
            "A score or its standard error is NaN, so that nothing is known to be stronger: "
            "explain with a larger budget."
        )
    return one


def _half_widths(explanation: Explanation, level: float) -> Floats:
    """Of intervals that hold together, with what rounding may add."""
    each = 1 - (1 - level) / len(explanation.values)
    lower, upper = explanation.interval(each)
    rounding = explanation.rounding
    if rounding is None:
        rounding = DOUBLE * np.fmax(
            np.abs(explanation.predictions), np.abs(explanation.base_values)
        )
    return np.asarray((upper - lower) / 2 + np.nan_to_num(rounding))


def _sizes(values: Floats, half: Floats, sign: Sign) -> tuple[Floats, tuple[Floats, Floats]]:
    """What is ranked, largest first, and its lower and upper ends."""
    oriented = np.abs(values) if sign is None else sign * values
    return oriented, (oriented - half, oriented + half)


def _separations(lower: Floats, upper: Floats, rest: float) -> list[int]:
    """After how many of the ordered reasons all others are known to be weaker, and their number.

    `rest` is the upper end of what is no reason.
    """
    if not len(lower):
        return []
    least = np.minimum.accumulate(lower)[:-1]
    most = np.maximum.accumulate(upper[::-1])[::-1][1:]
    return [*(np.flatnonzero(least > np.maximum(most, rest)) + 1).tolist(), len(lower)]


def _value(explanation: Explanation, i: int) -> Any:
    """The instance's value of a feature, where features are columns."""
    if explanation.regions is not None:
        return None
    data = explanation.data
    return data[i] if np.shape(data) == (len(explanation.feature_names),) else None


def _listed(items: Sequence[Reason]) -> str:
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(n: int) -> str:
    return _COUNTS[n] if n < len(_COUNTS) else f"{n:,}"


def _tie(group: Sequence[Reason]) -> str:
    return f"{_listed(group)} are tied."
