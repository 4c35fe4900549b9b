"""Minimal sets: the fewest pieces that keep a decision, and without which it changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_kind, check_random_state
from perturbx.containers import holds_texts, looks_like_images
from perturbx.designs import CoalitionDesign
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.features import Regions
from perturbx.game import Game, probe_cost
from perturbx.maskers import BoundMasker, Features, FittedMasker, Masker, Superpixels, Tokens
from perturbx.result import Explanation
from perturbx.rules._base import BaseRule
from perturbx.rules._decisions import Decision, DecisionRule
from perturbx.rules._set_search import Search, SetAsker
from perturbx.rules.found_sets import FoundSets, PieceSet

_SEGMENTS = 60
_LEAST = 40
"""Sets that a search of one kind should be able to ask about."""


@dataclass(eq=False, repr=False)
class MinimalSets(BaseRule):
    """The smallest sets of pieces that keep a decision alone, and whose removal changes it.

    A sufficient set of pixels keeps the decision when all else is removed (Chockler, Kroening &
    Sun, "Explanations for occluded images", ICCV 2021; ReX). There may be several without a piece
    in common: several places that are each enough. A necessary set is the other question, that of
    a counterfactual: the least to remove until the model decides otherwise.

    Every set is checked with the model, and then every piece of it: where `is_minimal`, no piece
    can be left out. A smaller set of other pieces may still exist, as the search is no proof.

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of images, texts or rows to classes, or to the scores of each class.
    masker : Masker, optional
        The pieces, and what is shown where they are absent; by default about 60 superpixels that
        are blurred, or words. Other maskers of coalitions will do.
    n_sets : int
        The most sufficient sets, each without a piece of the others.
    budget : int
        The most model rows, of which each kind of set gets an equal share. The three rows by which
        the model's outputs are learned come on top.
    decision : float or callable, optional
        What must stay the same, as in `Anchors`: by default the class of the largest output.
    output_names : sequence of str, optional
        Names where the model does not give them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    The size of a set is its area in an image, and the number of its pieces elsewhere. The search
    is that of `MeaningfulPerturbation`, on the difference between the output of the class and the
    largest other one.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> def finds_word(texts):
    ...     return [int("tea" in t or "coffee" in t) for t in texts]
    >>> found = px.MinimalSets(finds_word, random_state=0).explain("I drink tea or coffee today")
    >>> print(found.text)
    Decision: output = 1.
    Enough alone: 1 piece (16.7%): coffee.
    Also enough, without a piece of those above: 1 piece (16.7%): tea.
    Without 2 pieces (33.3%): tea, coffee, the decision is output = 0.
    """

    masker: Masker | None = field(default=None, kw_only=True)
    n_sets: int = field(default=3, kw_only=True)
    budget: int = field(default=2000, kw_only=True)
    decision: DecisionRule = field(default=None, kw_only=True)

    def fit(self, X: Any = None) -> MinimalSets:
        """Learn whatever the masker needs; images and texts need nothing.

        Parameters
        ----------
        X : table of rows, optional
            Training data.

        Returns
        -------
        self
        """
        self._check_parameters()
        self.__dict__.pop("masker_", None)
        if self.masker is not None:
            seeds = check_random_state(self.random_state)
            self.masker_ = self.masker.fit(X, Features(), np.random.default_rng(seeds.spawn(1)[0]))
        return self

    def explain(self, x: Any) -> FoundSets:
        """The sets of one image, text or row.

        Parameters
        ----------
        x : one image, one text or one row

        Returns
        -------
        FoundSets
            ``necessary`` is None where no set was found that changes the decision; ``text`` then
            tells the nearest miss.

        Raises
        ------
        NotFittedError
            If the masker learns from data, and `fit` has not been called.
        InvalidInputError
            If there are several instances, or if x is not what the masker takes.
        InvalidParameterError
            If a parameter cannot have its value, or if the outputs are no decisions.
        BudgetError
            If the budget does not pay for a search of each kind.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_parameters()
        seeds = check_random_state(self.random_state)
        of_search, of_masker = map(np.random.default_rng, seeds.spawn(2))
        masker = self._fitted(x, of_masker)
        instances = masker.check(x)
        if len(instances) != 1:
            raise InvalidInputError(
                f"Minimal sets are of one instance, and x holds {len(instances)}: call explain(x) "
                "for each."
            )
        (bound,) = instances.bind(0, 1)
        n = self._searches(bound)
        predictor = self._probe(instances)
        decision = Decision(self.decision, predictor)
        label = decision.labels(predictor.first_answers[:1])[0]
        game = Game(predictor, batch_size=self.batch_size)
        asker = SetAsker(bound, game, decision, label, _areas(bound), self.budget)
        asker.known[np.ones(bound.n_features, dtype=bool).tobytes()] = predictor.first_answers[0]
        found = self._found(asker, n, of_search)
        cost, seed = probe_cost(predictor) + asker.cost, seeds.entropy
        assert isinstance(seed, int)
        shown = replace(
            found.explanation,
            n_rows=cost.n_rows,
            n_calls=cost.n_calls,
            value_function=masker.value_function,
        )
        return replace(
            found,
            explanation=shown,
            n_rows=cost.n_rows,
            n_calls=cost.n_calls,
            random_state=seed,
            notes=(*masker.notes, *found.notes),
        )

    def _found(self, asker: SetAsker, n: int, rng: np.random.Generator) -> FoundSets:
        d = asker.bound.n_features
        nothing, free = np.zeros((1, d), dtype=bool), np.ones(d, dtype=bool)
        notes: tuple[str, ...] = ()
        keeping: list[PieceSet] = []
        if asker.margins(nothing)[0] > 0:
            keeping = [_set(asker, nothing[0], nothing[0], True)]
            notes = (
                "the model decides the same with everything removed: no piece is needed for this "
                "decision",
            )
        while not keeping or (keeping[0].pieces and len(keeping) < self.n_sets):
            if not free.any() or asker.margins(free[None])[0] < 0:
                break
            chosen, minimal = Search(asker, True, free).run(n, rng)
            if chosen is None:
                break
            keeping.append(_set(asker, chosen, chosen, minimal))
            free = free & ~chosen
        removal = Search(asker, False, np.ones(d, dtype=bool))
        chosen, minimal = removal.run(n, rng)
        needed = None if chosen is None else _set(asker, chosen, ~chosen, minimal)
        miss = None
        if needed is None:
            near = removal.nearest(d)
            miss = _set(asker, near, ~near, False)
        name = asker.decision.name(asker.label)
        explanation = _explanation(asker, keeping, needed)
        return FoundSets(tuple(keeping), needed, miss, name, explanation, 0, 0, 0, notes)

    def _searches(self, bound: BoundMasker) -> int:
        """How many sets each search may ask about."""
        if not issubclass(CoalitionDesign, bound.accepts) or bound.knows_answers:
            raise InvalidParameterError(
                "MinimalSets keeps or removes pieces, and this masker does neither: pass "
                "px.Superpixels(), px.Windows(), px.Tokens() or px.Background()."
            )
        n = self.budget // bound.rows_per_perturbation // (self.n_sets + 1)
        if n < _LEAST:
            least = _LEAST * bound.rows_per_perturbation * (self.n_sets + 1)
            raise BudgetError(
                f"budget={self.budget} is too small: {self.n_sets} sufficient sets and a necessary "
                f"one need {least} model rows or more. Raise budget, or ask for fewer n_sets."
            )
        return n

    def _fitted(self, x: Any, rng: np.random.Generator) -> FittedMasker:
        if "masker_" in vars(self):
            return self.masker_
        masker = self.masker
        if masker is None and not looks_like_images(x) and not holds_texts(x):
            raise InvalidInputError(
                "x is no color image and no text: pass a masker that says what its pieces are, "
                "such as px.Superpixels() for a gray image or px.Background(X_train) for a row."
            )
        if masker is None:
            masker = Superpixels(n_segments=_SEGMENTS) if looks_like_images(x) else Tokens()
        if masker.needs_fit:
            raise NotFittedError(
                f"{type(masker).__name__} learns from data: call fit(X_train) before explain."
            )
        return masker.fit(x, Features(), rng)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("n_sets", "budget"):
            check_integer(name, getattr(self, name), minimum=1)
        if self.masker is not None:
            check_kind("masker", self.masker, Masker, "a masker, such as px.Superpixels()")


def _areas(bound: BoundMasker) -> Floats:
    """The share of each piece: of the positions of an image, or of the number of pieces."""
    d = bound.n_features
    if not isinstance(bound.regions, Regions):
        return np.full(d, 1 / d)
    sizes = np.array([bound.regions.cover(i).sum() for i in range(d)], dtype=np.float64)
    return np.asarray(sizes / sizes.sum())


def _set(asker: SetAsker, chosen: Any, present: Any, minimal: bool) -> PieceSet:
    outputs = asker.outputs(present[None])
    pieces = np.flatnonzero(chosen)
    names = asker.bound.feature_names
    return PieceSet(
        pieces=tuple(pieces.tolist()),
        names=tuple(names[i] for i in pieces),
        share=float(asker.area[pieces].sum()),
        decision=asker.decision.name(asker.decision.labels(outputs)[0]),
        outputs=outputs[0],
        is_minimal=minimal,
    )


def _explanation(asker: SetAsker, keeping: list[PieceSet], needed: PieceSet | None) -> Explanation:
    """The sets as scores of 1 and 0, with the explained output of each as its prediction."""
    sets = [*keeping, *([] if needed is None else [needed])]
    names = [f"enough {i + 1}" for i in range(len(keeping))] + ["needed"] * (needed is not None)
    bound, k = asker.bound, asker.game.predictor.n_outputs
    own = int(asker.label) if k > 1 and not callable(asker.decision.rule) else 0  # type: ignore[call-overload]
    values = np.zeros((bound.n_features, len(sets)))
    for t, found in enumerate(sets):
        values[list(found.pieces), t] = 1.0
    return Explanation(
        values=values,
        standard_errors=np.full_like(values, np.nan),
        base_values=np.zeros(len(sets)),
        predictions=np.array([found.outputs[own] for found in sets]),
        data=bound.data,
        feature_names=bound.feature_names,
        output_names=tuple(names),
        axes=("feature", "output"),
        method="MinimalSets",
        value_function="",
        n_rows=0,
        n_calls=0,
        regions=bound.regions,
    )
