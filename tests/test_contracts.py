"""Every exported part keeps its contract; a new one is found by its export."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from perturbx import explainers, maskers, metrics, samplers, solvers
from perturbx.designs import (
    Chains,
    CoalitionDesign,
    Design,
    Independent,
    LeaveOneOut,
    Pairs,
    SoftMasks,
)
from perturbx.errors import RejectPerturbations
from perturbx.solvers import Answers, Scores
from perturbx.testing import (
    check_explainer,
    check_masker,
    check_metric,
    check_sampler,
    check_solver,
)

NEEDED: dict[str, Any] = {
    "n_background": 3,
    "masker": maskers.Baseline(),
    "solver": solvers.KernelShapRegression(),
    "order": [[0, 1], [2, 3, 4]],
}
"""Values for what a constructor cannot do without."""


def _exported(room: ModuleType, base: type) -> list[type]:
    found = (value for _, value in sorted(vars(room).items()) if inspect.isclass(value))
    return [kind for kind in found if issubclass(kind, base) and not inspect.isabstract(kind)]


def _made(kind: type) -> Any:
    parameters = inspect.signature(kind).parameters.values()
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    return kind(**{name: NEEDED[name] for name in needed})


def _read_by(solver: Any) -> Any:
    """The first sampler whose designs the solver reads."""
    return next(s for s in map(_made, SAMPLERS) if issubclass(s.draws, solver.reads))


SAMPLERS = _exported(samplers, samplers.Sampler)
SOLVERS = _exported(solvers, solvers.Solver)
MASKERS = _exported(maskers, maskers.Masker)
METRICS = _exported(metrics, metrics.Metric)
EXPLAINERS = [
    kind
    for kind in _exported(explainers, explainers.BaseExplainer)
    if kind not in (explainers.BaseExplainer, explainers.Sage, explainers.PermutationImportance)
]
TABLES = [explainers.AmortizedShap]
"""Methods that learn from rows whose features are the same."""

GRADIENTS = [explainers.IntegratedGradients, explainers.SmoothGrad]
"""Methods that need numbers to move a little, as words cannot."""


TEXTS = ["A good man is hard to find.", "Bad men are not!\n\nThey come, they go.", "one"]

LISTS = [[{"role": "user", "content": "Hi"}, "there"], ["one", ("two", 2), {"three": [3]}]]


def _images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, 12, 14, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", SAMPLERS, ids=lambda k: k.__name__)
def test_samplers(kind: type) -> None:
    """Samplers keep their contract on numbers, order, repetition, continuation and probability."""
    check_sampler(_made(kind))


@pytest.mark.parametrize("kind", SOLVERS, ids=lambda k: k.__name__)
def test_solvers(kind: type) -> None:
    """Solvers are pure, additive where promised, and refuse designs that they do not read."""
    solver = _made(kind)
    check_solver(solver, _read_by(solver))


@pytest.mark.parametrize("kind", MASKERS, ids=lambda k: k.__name__)
def test_maskers(kind: type, table: np.ndarray) -> None:
    """Maskers return the instance if all is present, and no batch is the user's data."""
    if kind is maskers.SeriesSegments:
        check_masker(kind(channel_axis=-1), np.random.default_rng(0).normal(size=(3, 30, 2)))
        return
    is_image = kind.of_images is True and kind not in (maskers.Tokens, maskers.Segments)
    own: dict[type, Any] = {maskers.Tokens: TEXTS, maskers.Segments: LISTS}
    check_masker(_made(kind), own.get(kind, _images() if is_image else table[:6]))


@pytest.mark.parametrize("container", ["list", "strings", "objects", "pandas", "polars"])
def test_maskers_of_texts(container: str) -> None:
    """Maskers of texts keep the contract in each container, whatever an absent piece shows."""
    texts: Any = TEXTS
    if container in ("pandas", "polars"):
        texts = pytest.importorskip(container).Series(TEXTS)
    elif container != "list":
        texts = np.array(TEXTS, dtype=object if container == "objects" else str)
    for masker in [maskers.Tokens(), maskers.Tokens(fill="[MASK]"), maskers.Tokens("sentences")]:
        check_masker(masker, texts)


@pytest.mark.parametrize("kind", [maskers.Background, maskers.Baseline, maskers.GaussianNoise])
def test_maskers_of_frames(kind: type, mixed_frame: Any) -> None:
    """Maskers of frames keep the contract with numbers, text and categories."""
    check_masker(kind(), mixed_frame[["tiny", "half", "kind", "name", "flag"]])


@pytest.mark.parametrize("kind", METRICS, ids=lambda k: k.__name__)
def test_metrics(kind: type, table: np.ndarray) -> None:
    """Metrics of tables and images give the same values twice, count rows, and change nothing."""
    check_metric(kind(), table[:4])
    check_metric(kind(), _images())


@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda k: k.__name__)
def test_explainers_of_rows(kind: type, table: np.ndarray, bumpy_model: Any) -> None:
    """Explainers of rows keep the contract on parameters, clones, pickles and seeds."""
    explainer = kind(bumpy_model, random_state=0, budget=3000)
    check_explainer(explainer, table)
    values = explainer.explain(table[:2]).values
    copied = pickle.loads(pickle.dumps(explainer))
    assert np.array_equal(copied.explain(table[:2]).values, values)


@pytest.mark.parametrize(
    "kind", [k for k in EXPLAINERS if k not in GRADIENTS + TABLES], ids=lambda k: k.__name__
)
def test_explainers_of_texts(kind: type) -> None:
    """Explainers of texts keep the same contract."""

    def model(texts: list[str]) -> list[float]:
        return [len(set(text)) + 3.0 * ("man" in text and "hard" in text) for text in texts]

    check_explainer(kind(model, masker=maskers.Tokens(), random_state=0), TEXTS)


@pytest.mark.parametrize(
    "kind", [k for k in EXPLAINERS if k not in TABLES], ids=lambda k: k.__name__
)
def test_explainers_of_images(kind: type) -> None:
    """Explainers of images keep the same contract."""

    def brightness(batch: np.ndarray) -> np.ndarray:
        return batch.mean(axis=(1, 2, 3)) / 255

    masker: Any = maskers.Superpixels(method="grid", n_segments=6, fill=0)
    if kind is explainers.OwenShap:  # goes down trees, which superpixels have none of
        masker = maskers.SuperpixelTrees()
    if kind is explainers.SmoothGrad:
        masker = maskers.RegionNoise(masker)
    if kind is explainers.IntegratedGradients:
        masker = maskers.Fade(masker)
    check_explainer(kind(brightness, masker=masker, random_state=0), _images())


def test_every_kind_of_part_was_found() -> None:
    """Every room exports parts, so that something was checked."""
    assert len(SAMPLERS) >= 5
    assert len(SOLVERS) >= 4
    assert len(MASKERS) >= 5
    assert len(METRICS) >= 12
    assert len(EXPLAINERS) >= 5


def test_broken_parts_are_found_out() -> None:
    """Each check fails, with the sentence, for a part that breaks it."""

    with pytest.raises(AssertionError, match="never more perturbations than asked for"):
        check_sampler(Greedy())
    with pytest.raises(AssertionError, match="add up to the full output"):
        check_solver(Forgetful(), samplers.OneAtATime())
    with pytest.raises(AssertionError, match="draws what it declares: LeaveOneOut"):
        check_sampler(Mislabeled())


@pytest.mark.parametrize(("drawn", "claimed"), [(0.5, 0.8), (0.5, 0.52), (0.3, 0.0)])
def test_a_false_probability_is_found_out(drawn: float, claimed: float) -> None:
    """A design that states another probability than it was drawn with is found."""
    with pytest.raises(AssertionError, match="probability"):
        check_sampler(Lying(drawn, claimed))
    with pytest.raises(AssertionError, match="probability"):
        check_sampler(LyingGrids(p=drawn, claimed=claimed))


def test_false_independence_is_found_out() -> None:
    """Masks in complementary pairs, and features that come in twos, are found."""
    with pytest.raises(AssertionError, match="perturbations are drawn independently"):
        check_sampler(Mirrored())
    with pytest.raises(AssertionError, match="features are drawn independently"):
        check_sampler(Twins())


def test_undeclared_reading_is_found_out() -> None:
    """Solvers that read too much, refuse what they declare, or accept anything are found."""
    with pytest.raises(AssertionError, match="it fails on CustomCoalitions"):
        check_solver(Hungry(), samplers.ShapleyCoalitions())
    with pytest.raises(AssertionError, match="reads what it declares, and refuses Chains"):
        check_solver(Picky(), samplers.ShapleyCoalitions())
    with pytest.raises(AssertionError, match="does not declare to read, as CustomCoalitions"):
        check_solver(Greedier(), samplers.OneAtATime())


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        ("size", "weights of pairs add up to the Shapley kernel"),
        ("pair", "weights of pairs add up to the Shapley kernel"),
        ("random", "pairs of a random design are drawn at random"),
    ],
)
def test_false_pairs_are_found(by: str, sentence: str) -> None:
    """Pairs without the weights of the Shapley kernel, or chosen but called random, are found."""
    with pytest.raises(AssertionError, match=sentence):
        check_sampler(LyingPairs(by=by))


@pytest.mark.parametrize("by", ["order", "row"])
def test_false_chains_are_found(by: str) -> None:
    """Chains in a fixed order, or that use one background row more than others, are found."""
    sentence = {"order": "equally likely to join", "row": "each background row equally often"}
    with pytest.raises(AssertionError, match=sentence[by]):
        check_sampler(LyingChains(3, by=by))


def test_false_weights_of_independent_draws_are_found() -> None:
    """Unequal weights of independent draws are found."""
    with pytest.raises(AssertionError, match="drawn independently weigh the same"):
        check_sampler(Weighted())


@pytest.mark.parametrize(
    ("solver", "sentence"),
    [
        ("by class", "it reads no more of Independent than it declares"),
        ("by weight", "solve leaves the weights of the design"),
        ("by row", "it reads what it declares, and refuses BackgroundChains"),
    ],
)
def test_solvers_that_read_or_write_too_much_are_found(solver: str, sentence: str) -> None:
    """Solvers that read undeclared facts, or write into the design, are found."""
    kinds = {"by class": Guessing, "by weight": Normalizing, "by row": Peeking}
    drawn = samplers.BackgroundPermutations(3) if solver == "by row" else samplers.BernoulliMasks()
    with pytest.raises(AssertionError, match=sentence):
        check_solver(kinds[solver](), drawn)


@pytest.mark.parametrize("when", ["all present", "all absent", "one row", "take"])
def test_views_of_user_data_are_found(table: np.ndarray, when: str) -> None:
    """A batch that is a view of the user's rows or the background, even rarely, is found."""
    with pytest.raises(AssertionError, match=r"whatever a model writes|no later one"):
        check_masker(Viewing(when), table[:6].copy())


@dataclass(frozen=True)
class Viewing(maskers.Masker):
    """Its batches are views for some perturbations, or for some background rows."""

    when: str

    def fit(self, X: Any, features: Any, rng: Any) -> Any:
        return FittedViewing(self.when, X)


@dataclass(frozen=True, eq=False)
class FittedViewing(maskers.FittedMasker):
    """The rows it was fitted on, the first two of which are the background."""

    when: str
    rows: np.ndarray
    value_function: str = "absent features from two rows"

    def check(self, X: Any) -> Any:
        return ViewingInstances(self, X)


@dataclass(frozen=True, eq=False)
class ViewingInstances(maskers.Instances):
    """Rows of an array."""

    masker: FittedViewing
    X: np.ndarray
    single = False

    def __len__(self) -> int:
        return len(self.X)

    def take(self, start: int, stop: int) -> np.ndarray:
        rows = self.X[start:stop]
        return rows if self.masker.when == "take" and stop - start == len(self) else rows.copy()

    def bind(self, start: int, stop: int) -> list[Any]:
        return [BoundViewing(self.masker, self.X[i]) for i in range(start, stop)]


@dataclass(frozen=True, eq=False)
class BoundViewing(maskers.BoundMasker):
    """One row."""

    masker: FittedViewing
    row: np.ndarray
    rows_per_perturbation = 2

    @property
    def n_features(self) -> int:
        return len(self.row)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"x{j}" for j in range(len(self.row)))

    @property
    def data(self) -> np.ndarray:
        return self.row

    @property
    def row_bytes(self) -> int:
        return self.row.nbytes

    def scratch(self, n_rows: int) -> None:
        return None

    def batch(self, z: Any, rows: Any, scratch: Any) -> np.ndarray:
        when, background = self.masker.when, self.masker.rows[:2][rows]
        alone = len(z) == len(background) == 1
        if when == "all present" and alone and z.all():
            return self.row[None]
        if len(z) == 1 and not z.any() and (when == "all absent" or (alone and when == "one row")):
            return background
        mixed = np.where(z[:, None], self.row, background)
        return mixed.reshape(-1, self.n_features)


@dataclass(frozen=True)
class LyingPairs(samplers.ShapleyCoalitions):
    """Weighs sizes or single pairs wrongly, or says that chosen pairs are random."""

    by: str = "size"

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Pairs:
        if self.by == "random":
            sampler = samplers.OptimalPairs()
            return replace(sampler.draw(n_features, n, rng, drawn), random=True)
        design = super().draw(n_features, n, rng, drawn)
        size = design.first.sum(axis=1)
        size = np.minimum(size, n_features - size)
        factor = size if self.by == "size" else 1.0 + design.first[:, 0]
        return replace(design, pair_weights=design.pair_weights * factor)


@dataclass(frozen=True)
class LyingChains(samplers.BackgroundPermutations):
    """Joins features in the order of the columns, or uses the first background row most."""

    by: str = "order"

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Any:
        design = super().draw(n_features, n, rng, drawn)
        if self.by == "order":
            return replace(design, place=np.sort(design.place, axis=1))
        fresh = np.arange(len(design.row)) >= (0 if drawn is None else len(drawn.row))
        return replace(design, row=np.where(fresh, design.row // 2, design.row))


@dataclass(frozen=True, eq=False)
class UnevenDraws(Independent):
    """Weighs later draws more."""

    @property
    def weights(self) -> Any:  # type: ignore[override]
        return np.arange(1.0, len(self) + 1.0)


@dataclass(frozen=True)
class Weighted(samplers.BernoulliMasks):
    """Draws independently, and weighs by position."""

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> UnevenDraws:
        return UnevenDraws(super().draw(n_features, n, rng, drawn).present, self.p)


@dataclass(frozen=True)
class Guessing(solvers.PresenceRidge):
    """Declares any coalitions, and looks for the probability of independent ones."""

    def estimate(self, answers: Answers) -> Scores:
        p = getattr(answers.design, "p", 0.5)
        found = super().estimate(answers)
        return replace(found, values=found.values * p)


@dataclass(frozen=True)
class Normalizing(solvers.PresenceRidge):
    """Divides the weights of the design in place."""

    def estimate(self, answers: Answers) -> Scores:
        answers.design.weights[...] /= 2 * answers.design.weights.sum()
        return super().estimate(answers)


@dataclass(frozen=True)
class Peeking(solvers.BackgroundContributions):
    """Needs the output of each background row, and does not declare it."""

    needs_background_rows: ClassVar[bool] = False


@dataclass(frozen=True)
class Mislabeled(samplers.BernoulliMasks):
    """Says that it draws leave-one-out designs."""

    draws: ClassVar[type[Design]] = LeaveOneOut


@dataclass(frozen=True)
class Lying(samplers.BernoulliMasks):
    """Draws with one probability, and states another."""

    claimed: float = 0.5

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Independent:
        return replace(super().draw(n_features, n, rng, drawn), p=self.claimed)


@dataclass(frozen=True)
class LyingGrids(samplers.RandomGrids):
    """Draws soft masks with one probability, and states another."""

    claimed: float = 0.5

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> SoftMasks:
        return replace(super().draw(n_features, n, rng, drawn), p=self.claimed)


@dataclass(frozen=True)
class Mirrored(samplers.BernoulliMasks):
    """Each new mask is followed by its complement."""

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Independent:
        known = 0 if drawn is None else len(drawn)
        z = super().draw(n_features, n, rng, drawn).present.copy()
        z[known + 1 :: 2] = ~z[known : len(z) - 1 : 2]
        return Independent(z, self.p)


@dataclass(frozen=True)
class Twins(samplers.BernoulliMasks):
    """The last feature is present whenever the first one is."""

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Independent:
        z = super().draw(n_features, n, rng, drawn).present.copy()
        z[:, -1] = z[:, 0]
        return Independent(z, self.p)


@dataclass(frozen=True)
class Hungry(solvers.KernelShapRegression):
    """Needs pairs, and declares any coalitions."""

    reads: ClassVar[tuple[type[Design], ...]] = (CoalitionDesign,)

    def estimate(self, answers: Answers) -> Scores:
        assert isinstance(answers.design, Pairs)
        return super().estimate(answers)


@dataclass(frozen=True)
class Picky(solvers.KernelShapRegression):
    """Declares chains, and refuses them."""

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs, Chains)

    def estimate(self, answers: Answers) -> Scores:
        if not isinstance(answers.design, Pairs):
            raise RejectPerturbations("Use the sampler ShapleyCoalitions().")
        return super().estimate(answers)


@dataclass(frozen=True)
class Greedier(solvers.Deltas):
    """Takes the first perturbations of whatever it is given."""

    def scores(self, answers: Answers) -> Scores:
        first = np.resize(answers.outputs, (answers.design.n_features, len(answers.full)))
        return self.estimate(replace(answers, outputs=first))


@dataclass(frozen=True)
class Greedy(samplers.BernoulliMasks):
    """Draws one perturbation too many."""

    def draw(self, n_features: int, n: int, rng: Any, drawn: Any = None) -> Independent:
        return super().draw(n_features, n + 1, rng, drawn)


@dataclass(frozen=True)
class Forgetful(solvers.Deltas):
    """Promises additive scores, and does not keep the promise."""

    additive = True

    def estimate(self, answers: Answers) -> Scores:
        return super().estimate(answers)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("full", "leaves its subject as it is"),
        ("X", "leaves its subject as it is"),
        ("scores", "leaves its subject as it is"),
        ("background", "leaves its subject as it is"),
        ("seeds", "leaves its subject as it is"),
        ("predictions", "leaves its subject as it is"),
        ("cost", "n_rows counts the rows"),
        ("draws", "the same subject, the same values"),
    ],
)
def test_broken_metrics_are_found_out(table: np.ndarray, part: str, sentence: str) -> None:
    """A metric that changes its subject, hides rows, or draws without a seed is found."""
    with pytest.raises(AssertionError, match=sentence):
        check_metric(Careless(part), table[:4])


@pytest.mark.parametrize("part", ["seed", "model", "background", "fit", "attribute"])
def test_a_metric_that_changes_its_explainer_is_found_out(table: np.ndarray, part: str) -> None:
    """A metric that changes the user's explainer, its background or its model is found."""
    with pytest.raises(AssertionError, match="leaves its subject as it is"):
        check_metric(Reseeding(part=part), table[:4])


@dataclass(frozen=True)
class Careless(metrics.Metric[metrics.JudgedExplanation]):
    """Writes into one part of its subject, or hides its cost."""

    better = "lower"

    part: str

    def measure(self, subject: metrics.JudgedExplanation) -> metrics.Measure:
        changed = {
            "full": subject.full,
            "X": subject.instances.X,
            "scores": subject.scores.heat(0, 0),
            "background": subject.masker.rows,
            "predictions": subject.scores.predictions,
        }
        if self.part in changed:
            changed[self.part][...] += 1.0
        if self.part == "cost":
            for i, bound in subject.bound():
                subject.ask(bound, np.eye(bound.n_features, dtype=bool), i)
        if self.part == "seeds":
            subject.seeds.spawn(1)
        noise = np.random.default_rng().random() if self.part == "draws" else 0.0
        return subject.result(self, subject.full + noise)


@dataclass(frozen=True)
class Reseeding(metrics.Stability):
    """Changes one part of the explainer, and leaves it changed."""

    part: str = "seed"

    def measure(self, subject: metrics.JudgedExplainer) -> metrics.Measure:
        found, explainer = super().measure(subject), subject.explainer
        if self.part == "seed":
            explainer.random_state = 7
        elif self.part == "model":
            explainer.predict_fn = lambda X: X[:, 0]
        elif self.part == "background":
            explainer.masker_.rows[...] += 1.0
        elif self.part == "fit":
            explainer.fit(subject.X[:2])
        else:
            explainer.last_ = found
        return found
