"""The work of one instance: finds its rules, verifies them, and describes them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from perturbx.game import Cost
from perturbx.predictor import Predictor
from perturbx.rules._anchor_search import Asker, Search
from perturbx.rules._bounds import exact_interval, fresh_draws
from perturbx.rules._decisions import Decision, DecisionRule
from perturbx.rules._populations import Population, Rule
from perturbx.rules.anchor import Anchor, Reader

Said: TypeAlias = frozenset[Hashable]
"""What a rule says, whatever the numbers of its literals for one instance."""


@dataclass(eq=False)
class Known:
    """What earlier instances with each decision taught: draws under rules, and rules found."""

    draws: dict[Any, dict[Said, tuple[int, int]]] = field(default_factory=dict)
    found: dict[Any, set[Said]] = field(default_factory=dict)

    def of(
        self, label: Any, population: Population
    ) -> tuple[dict[Rule, tuple[int, int]], list[Rule]]:
        """The draws under rules that an instance meets, and those of the rules that were found."""
        numbers = {population.says(i): i for i in range(population.n_literals)}
        draws, found = dict[Rule, tuple[int, int]](), list[Rule]()
        for said, counts in self.draws.get(label, {}).items():
            if said <= numbers.keys():
                rule = tuple(sorted(numbers[part] for part in said))
                draws[rule] = counts
                if said in self.found.get(label, ()):
                    found.append(rule)
        return draws, found

    def learn(
        self, label: Any, population: Population, seen: dict[Rule, tuple[int, int]], found: Rule
    ) -> None:
        """Keep all draws so far under the rules of an instance, and the rule found."""
        known = self.draws.setdefault(label, {})
        for rule, counts in seen.items():
            known[frozenset(population.says(i) for i in rule)] = counts
        if found:
            said = frozenset(population.says(i) for i in found)
            self.found.setdefault(label, set()).add(said)


@dataclass(frozen=True, eq=False)
class Settings:
    """What all instances share."""

    threshold: float
    confidence: float
    budget: int
    decision: DecisionRule
    beam: int
    max_conditions: int
    n_anchors: int
    batch_size: int | None
    seed: int


@dataclass(frozen=True, eq=False)
class RowTask:
    """One instance, as sent to a worker.

    Parameters
    ----------
    settings : Settings
    population : Population
    own : Any
        The instance, as a batch.
    reader : Reader or None
    seeds : sequence of two SeedSequence
        Of the search, and of the draws that verify its rules.
    notes : tuple of str
    where : str
        Names the instance in errors, if there are several.
    """

    settings: Settings
    population: Population
    own: Any
    reader: Reader | None
    seeds: tuple[np.random.SeedSequence, np.random.SeedSequence]
    notes: tuple[str, ...]
    where: str

    def anchor(
        self,
        predictor: Predictor,
        progress: Callable[[int], Any] | None = None,
        known: Known | None = None,
    ) -> Anchor:
        """The anchor, with its own cost."""
        settings, decision = self.settings, Decision(self.settings.decision, predictor)
        own = predictor(self.own, 1, None, f"the instance{self.where}")
        label = decision.labels(own)[0]
        place, size = f"drawn under a rule{self.where}", settings.batch_size
        asker = Asker(self.population, predictor, decision, label, size, place, progress)
        n_fresh = fresh_draws(settings.budget, settings.threshold, settings.confidence)
        of_search, of_draws = map(np.random.default_rng, self.seeds)
        found, banned, total = list[Anchor](), frozenset[int](), Cost(1, 1)
        while len(found) < settings.n_anchors:
            search = Search(
                *(asker, of_search, settings.budget - n_fresh, settings.threshold),
                *(1 - settings.confidence, n_fresh, banned),
            )
            if known is not None:
                search.seen, search.candidates = known.of(label, self.population)
            rule = search.run(settings.beam, settings.max_conditions)
            (kept,), cost = asker.agreeing([rule], n_fresh, of_draws)
            total += search.cost + cost
            if known is not None:
                before = search.seen.get(rule, (0, 0))
                search.seen[rule] = before[0] + n_fresh, before[1] + int(kept)
                known.learn(label, self.population, search.seen, rule)
            if not found or rule:
                found.append(self._described(rule, decision.name(label), int(kept), n_fresh))
            if not rule:  # it holds always, or nothing is left to say
                break
            narrowest = min(rule, key=lambda i: self.population.coverage((i,)))
            banned |= {self.population.feature(narrowest)}
        first, *others = found
        return replace(
            first,
            n_rows=total.n_rows,
            n_calls=total.n_calls,
            notes=(*self.notes, *first.notes),
            alternatives=tuple(others),
        )

    def _described(self, rule: Rule, name: str, kept: int, n_fresh: int) -> Anchor:
        population, threshold = self.population, self.settings.threshold
        confidence = self.settings.confidence
        interval = exact_interval(kept, n_fresh, confidence)
        coverage, n = population.coverage(rule), population.n_training
        covered, draws = (coverage, coverage), "the other pieces at random"
        if n:
            covered = exact_interval(round(coverage * n), n, confidence)
            draws = "the other columns from random training rows"
        reached = interval[0] >= threshold
        return Anchor(
            conditions=population.conditions(rule),
            decision=name,
            precision=kept / n_fresh,
            precision_interval=interval,
            coverage=coverage,
            coverage_interval=covered,
            threshold=threshold,
            confidence=confidence,
            reached=reached,
            draws=draws,
            n_fresh=n_fresh,
            n_training=n,
            n_rows=0,
            n_calls=0,
            random_state=self.settings.seed,
            notes=self._remarks(rule, name, kept == n_fresh, reached),
            reader=self.reader,
        )

    def _remarks(self, rule: Rule, name: str, is_constant: bool, reached: bool) -> tuple[str, ...]:
        if not reached:
            return (
                f"no rule was shown to keep the decision for {self.settings.threshold:g} of its "
                "rows: this is the one that comes closest. Raise budget or max_conditions, or "
                "lower threshold",
            )
        if rule:
            return ()
        if is_constant:
            return (
                f"predict_fn decided {name!r} for every random row, as a model of a single class "
                "does: no condition changes anything",
            )
        return ("random rows get this decision so often that no condition is needed",)
