"""The beam search of anchors: which rule keeps the decision and covers most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.game import Cost
from perturbx.predictor import Predictor
from perturbx.rules._bounds import exploration_rate, information_bounds, safe_target
from perturbx.rules._decisions import Decision
from perturbx.rules._populations import Population, Rule

_FIRST = 16
"""The draws by which every candidate is compared at first, if the budget allows."""

_MORE = 32
"""The draws that each of the two rules in doubt gets at a time."""

_LEVELS = 6
"""A level gets its share of the budget as if no more than so many followed."""

_ROWS_PER_ARM = 16
"""So many rows of a level pay for one rule: others are not asked for, unless draws under the rule
that they extend say that they are among the best."""

_DOUBT = 8
"""Draws of average luck that are added to those in which a literal holds."""

_WIDE = 2
"""Only one in so many rules, those that cover most, are then thought of."""

_TOLERANCE = 0.1
"""Rules whose precision differs by less than this need not be told apart (epsilon)."""


@dataclass(frozen=True, eq=False)
class Asker:
    """Asks the model for rows under rules, and counts those that keep the decision."""

    population: Population
    predictor: Predictor
    decision: Decision
    label: Any
    batch_size: int | None
    place: str
    progress: Callable[[int], Any] | None

    def agreeing(self, rules: list[Rule], n: int, rng: np.random.Generator) -> tuple[Ints, Cost]:
        """How many of `n` draws under each rule get the decision of the instance."""
        agreed, cost = np.zeros(len(rules), dtype=np.intp), Cost()
        for _, kept in self._answered(rules, n, rng):
            owners = np.arange(cost.n_rows, cost.n_rows + len(kept)) // n
            agreed += np.bincount(owners[kept], minlength=len(rules))
            cost += Cost(len(kept), 1)
        return agreed, cost

    def lifts(self, rule: Rule, n: int, rng: np.random.Generator) -> tuple[Floats, int, Cost]:
        """(n_literals,): how much one more literal promises, by draws under a rule.

        One for a literal with which any draw agrees, over the number of draws in which it holds:
        narrow literals come first, which tells those worth asking for at little cost. Also how
        many draws agree at all.
        """
        held, is_agreeing, agreed, cost = np.zeros(1), np.zeros(1, dtype=bool), 0, Cost()
        for drawn, kept in self._answered([rule], n, rng):
            held = held + self.population.held(drawn)
            is_agreeing = is_agreeing | (self.population.held(drawn[kept]) > 0)
            agreed += int(kept.sum())
            cost += Cost(len(kept), 1)
        return (is_agreeing + _DOUBT * agreed / n) / (held + _DOUBT), agreed, cost

    def _answered(
        self, rules: list[Rule], n: int, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """What each batch of rows is drawn from, and which rows get the decision."""
        for batch, drawn in self.population.batches(rules, n, rng, self.batch_size):
            place = f"{len(drawn)} rows {self.place}"
            outputs = self.predictor(batch, len(drawn), None, place)
            yield drawn, np.asarray(self.decision.labels(outputs) == self.label)
            if self.progress:
                self.progress(len(drawn))


@dataclass(eq=False)
class Search:
    """One search: what was drawn for every rule so far, and what is left of the budget.

    It may begin with draws of other searches (`seen`), and with rules that they found
    (`candidates`).
    """

    asker: Asker
    rng: np.random.Generator
    budget: int
    threshold: float
    failure: float
    most_draws: int
    banned: frozenset[int] = frozenset()
    cost: Cost = field(default_factory=Cost)
    seen: dict[Rule, tuple[int, int]] = field(default_factory=dict)
    candidates: list[Rule] = field(default_factory=list)
    valid: set[Rule] = field(default_factory=set)

    @property
    def left(self) -> int:
        """The model rows that may still be spent."""
        return self.budget - self.cost.n_rows

    @property
    def target(self) -> float:
        """The precision that fresh draws will mostly show to be above the threshold."""
        return safe_target(self.threshold, self.most_draws)

    def run(self, beam: int, max_conditions: int) -> Rule:
        """The valid rule of largest coverage, or the most precise one if none is valid."""
        population = self.asker.population
        if self._confirms(()):
            return ()
        for rule in sorted(self.candidates, key=lambda r: (-population.coverage(r), r)):
            if self._is_allowed(rule) and self._covers_more(rule) and self._confirms(rule):
                return self._loosened()
        parents: list[Rule] = [()]
        most = min(max_conditions, population.n_literals)
        for level in range(most):
            allowed = self.left // (min(most - level, _LEVELS) + 1)
            arms = self._promising(parents, allowed)
            if not arms or self.left < len(arms):
                break
            parents = self._most_precise(arms, beam, allowed)
            for rule in sorted(parents, key=population.coverage, reverse=True):
                if self._covers_more(rule):
                    self._confirms(rule)
        return self._loosened() if self.valid else self._safest(beam)

    def _promising(self, parents: list[Rule], allowed: int) -> list[Rule]:
        """The rules of one literal more that the budget of a level allows to compare."""
        population = self.asker.population
        arms = sorted({rule for parent in parents for rule in population.extended(parent)})
        arms = self._worthwhile([rule for rule in arms if self._is_allowed(rule)])
        most = max(allowed // _ROWS_PER_ARM, 1)
        if len(arms) <= most:
            return arms
        arms, best = arms[: max(len(arms) // _WIDE, most)], dict[Rule, float]()
        for parent in parents:
            n = max(allowed // (4 * len(parents)), 1)
            share, kept, cost = self.asker.lifts(parent, n, self.rng)
            self.cost += cost
            before = self.seen.get(parent, (0, 0))
            self.seen[parent] = before[0] + n, before[1] + kept
            for rule in arms:
                added = set(rule) - set(parent)
                if len(added) == 1 and set(parent) <= set(rule):
                    best[rule] = max(best.get(rule, 0.0), float(share[added.pop()]))
        return sorted(arms, key=lambda rule: -best[rule])[:most]

    def _is_allowed(self, rule: Rule) -> bool:
        return not any(self.asker.population.feature(i) in self.banned for i in rule)

    def _worthwhile(self, arms: list[Rule]) -> list[Rule]:
        """Rules that some row meets and that cover more than the best valid one."""
        arms = [rule for rule in arms if self._covers_more(rule)]
        arms.sort(key=self.asker.population.coverage, reverse=True)
        return arms[: max(self.left // 4, 1)]

    def _covers_more(self, rule: Rule) -> bool:
        coverage = self.asker.population.coverage
        return coverage(rule) > max(map(coverage, self.valid), default=0.0)

    def _most_precise(self, arms: list[Rule], n_best: int, allowed: int) -> list[Rule]:
        """The `n_best` most precise of some rules, by KL-LUCB, for `allowed` model rows."""
        floor = self.left - allowed
        first = min(_FIRST, max(1, allowed // (2 * len(arms))))
        new = [rule for rule in arms if self.seen.get(rule, (0, 0))[0] < first]
        if new:
            self._draw(new, first)
        time = 1
        while True:
            n, mean = self._known(arms)
            order = np.argsort(-mean, kind="stable")
            best, rest = order[:n_best], order[n_best:]
            if not len(rest) or self.left - 2 * _MORE < floor:
                break
            rate = exploration_rate(len(arms), time, self.failure)
            lower, upper = information_bounds(mean, n, rate)
            weakest, rival = best[lower[best].argmin()], rest[upper[rest].argmax()]
            if upper[rival] - lower[weakest] < _TOLERANCE:
                break
            self._draw([arms[weakest], arms[rival]], _MORE)
            time += 1
        return [arms[i] for i in best]

    def _confirms(self, rule: Rule) -> bool:
        """Draw until a rule is known to reach the threshold, or known not to.

        A rule too close to call gets a fourth of what is left at most, so that others get theirs.
        The bounds are for one rule: fresh draws decide afterwards, whichever was confirmed.
        """
        time, most = 1, min(self.most_draws, self.left // 4)
        while True:
            n, successes = self.seen.get(rule, (0, 0))
            mean = successes / max(n, 1)
            rate = exploration_rate(1, time, self.failure)
            lower, upper = information_bounds(mean, n, rate)
            if n and lower >= self.threshold and mean >= self.target:
                self.valid.add(rule)
                return True
            if n and upper < self.target:
                return False
            more = min(max(2 * _MORE, n // 2), most - n)
            if more <= 0:
                return False
            self._draw([rule], more)
            time += 1

    def _loosened(self) -> Rule:
        """The best valid rule, or wider ones that are still valid."""
        coverage = self.asker.population.coverage
        best = max(sorted(self.valid), key=lambda rule: (coverage(rule), -len(rule)))
        tried: set[Rule] = set()
        while True:
            wider = [r for r in self.asker.population.loosened(best) if r and r not in tried]
            wider.sort(key=lambda r: (-coverage(r), r))
            tried.update(wider)
            found = next((r for r in wider if self._confirms(r)), None)
            if found is None:
                return best
            best = found

    def _safest(self, beam: int) -> Rule:
        """The most precise rule as far as is known, the one of larger coverage among equals."""
        coverage = self.asker.population.coverage
        rules = sorted(self.seen, key=lambda rule: (-coverage(rule), rule))
        n, mean = self._known(rules)
        lower, _ = information_bounds(mean, n, -np.log(self.failure))
        rivals = [rules[i] for i in np.argsort(-lower, kind="stable")[:beam]]
        return self._most_precise(rivals, 1, self.left)[0] if self.left else rivals[0]

    def _known(self, rules: list[Rule]) -> tuple[Floats, Floats]:
        """The number of draws of each rule, and the share that kept the decision."""
        counts = np.array([self.seen[rule] for rule in rules], dtype=float)
        return counts[:, 0], counts[:, 1] / counts[:, 0]

    def _draw(self, rules: list[Rule], n: int) -> None:
        successes, cost = self.asker.agreeing(rules, n, self.rng)
        self.cost += cost
        for rule, kept in zip(rules, successes.tolist(), strict=True):
            before = self.seen.get(rule, (0, 0))
            self.seen[rule] = before[0] + n, before[1] + kept
