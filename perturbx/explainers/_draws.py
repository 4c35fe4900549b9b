"""The designs of instances with the same active features, each drawn once."""

from __future__ import annotations

import numpy as np

from perturbx.designs import Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.explainers._plan import Task
from perturbx.samplers import AdaptiveSampler


class Draws:
    """The designs of one sampler: each extends the previous one and is drawn once."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.task, self._rng = task, rng
        self._found: dict[int, Design] = {}

    def upto(self, total: int) -> Design:
        """The design of at most `total` perturbations; totals never decrease."""
        if total not in self._found:
            before = self._found[max(self._found)] if self._found else None
            sampler, d = self.task.sampler, self.task.n_features
            design = sampler.draw(d, total, self._rng, before)
            if not (isinstance(design, sampler.draws) or design.complete):
                name, drawn = type(sampler).__name__, type(design).__name__
                raise RejectPerturbations(
                    f"{name} declares that it draws {sampler.draws.__name__}: got {drawn}. "
                    f"Set draws = {drawn} in the sampler's class."
                )
            self._found[total] = design
        return self._found[total]

    def following(self, evaluations: Evaluations, total: int) -> Design:
        """The design of an adaptive sampler, extended on the basis of the outputs so far."""
        assert isinstance(self.task.sampler, AdaptiveSampler)
        return self.task.sampler.follow(evaluations, total, self._rng)
