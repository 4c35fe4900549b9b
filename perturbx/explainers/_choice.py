"""What the choice of an estimator goes by: one table of measured numbers, and what follows.

`python -m benchmarks.scale.estimator_choice` measures them anew and prints them next to these.
Nothing here looks at a clock, so that a seed fixes every score on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class ChoiceTable:
    """Costs in seconds on one core, and the places where one estimator overtakes another.

    Parameters
    ----------
    model_row, model_image : float
        What an ordinary model takes for a row of a table and for an image: a convention.
    process, process_pair : float
        The Gaussian process that learns its own prior, for one target: at least, and for each pair.
    worth : float
        How many times the model's time the process may take: for a fifth of the squared error at
        the same rows.
    teaching : float
        Learning one prior from the answers about the teachers.
    many_outputs, many_targets : int
        So many outputs of an instance, or more, are taught together, and cost as so many targets.
    own, shared : float
        Coalitions per feature from which the process has less error than single background rows, at
        as many model rows, with `at_background` background rows: with a prior of its own, and with
        one that is shared.
    plain : float
        The same for the regression, with any background.
    noisy, noisy_pairs : float
        Of models that answer differently each time: coalitions per feature from which they are
        better than permutations, which are noisier; and pairs per feature from which the
        regression has no more error than the process, and intervals that cover better.
    at_background, power : float
        `own` and `shared` grow with the background rows over `at_background` to this power, since
        a coalition costs all of them and a permutation one.
    few_background : int
        With fewer background rows the process is worth its time on any table.
    usual_background : int
        Without a budget, there are no fewer permutations than with so many background rows.
    few_targets : int
        So many outputs, at most, for that.
    many_features : int
        From so many features on, the process is fitted to those that carry interactions.
    coalitions, least_coalitions : int
        Per feature, where there is no budget: usually, and at least where instances are many.
    patient_pairs, least_pairs : float
        With `few_background` no more pairs than so many, or than so many per feature, are then
        worth the time of the process.
    few_instances : int
        So many get the full default each.
    least_share : float
        The least fraction of it that each gets where instances are many: the largest error of an
        instance is then about 2% of the range of its scores.
    """

    model_row: float = 5e-5
    model_image: float = 2e-3
    process: float = 0.1
    process_pair: float = 0.003
    worth: float = 2.0
    teaching: float = 1.0
    many_outputs: int = 8
    many_targets: int = 2
    own: float = 8.0
    shared: float = 7.0
    plain: float = 40.0
    noisy: float = 3.0
    noisy_pairs: float = 3.0
    at_background: float = 50.0
    power: float = 0.9
    few_background: int = 40
    usual_background: int = 100
    few_targets: int = 3
    many_features: int = 500
    coalitions: int = 20
    least_coalitions: int = 4
    patient_pairs: float = 250.0
    least_pairs: float = 2.5
    few_instances: int = 10
    least_share: float = 0.3

    def targets(self, n_outputs: int) -> int:
        """As how many targets the outputs of an instance are solved; two mirror each other."""
        return self.many_targets if n_outputs >= self.many_outputs else max(n_outputs - 1, 1)

    def process_seconds(self, n_pairs: int, n_outputs: int) -> float:
        """What the process takes for an instance, with a prior of its own."""
        return self.targets(n_outputs) * (self.process + self.process_pair * n_pairs)

    def is_worth_it(self, n_pairs: int, n_rows: int, n_outputs: int, is_image: bool) -> bool:
        """Whether the process is worth its time beside an ordinary model that is asked `n_rows`."""
        asked = self.model_seconds(n_rows, is_image)
        return self.process_seconds(n_pairs, n_outputs) < self.worth * asked

    def model_seconds(self, n_rows: int, is_image: bool) -> float:
        """What an ordinary model takes."""
        return n_rows * (self.model_image if is_image else self.model_row)

    def crossover(self, at: float, n_background: int) -> float:
        """`own` or `shared`, with so many background rows."""
        return float(at * (n_background / self.at_background) ** self.power)

    def share(self, n_instances: int) -> float:
        """The fraction of the full default that each of so many instances gets.

        All of them together get no less than fewer instances would.
        """
        return max(min(self.few_instances / n_instances, 1.0), self.least_share)

    def default_pairs(self, n_features: int, n_background: int) -> int:
        """Pairs for the process, for a single instance without a budget."""
        usual = ceil(self.coalitions * n_features / 2)
        if n_background >= self.few_background:
            return usual
        return min(usual, ceil(max(self.patient_pairs, self.least_pairs * n_features)))


CHOICE = ChoiceTable()
