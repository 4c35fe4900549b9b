"""The public names, exactly; a part of a room is one that its `__init__` exports."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import perturbx as px
import pytest
from perturbx.designs import Design
from perturbx.samplers import Sampler
from perturbx.solvers import Solver

METHODS = {"Banzhaf", "Explainer", "KernelShap", "Lime", "Occlusion", "OwenShap"}
METHODS |= {"PermutationShap", "Rise", "Sage", "SmoothGrad"}
METHODS |= {"IntegratedGradients", "PermutationImportance"}
METHODS |= {"MeaningfulPerturbation"}
METHODS |= {"AmortizedShap"}
MASKERS = {"Background", "Baseline", "ColumnTree", "GaussianNoise", "SmoothGrid"}
MASKERS |= {"Fade", "RegionNoise"}
MASKERS |= {"CausalCopula"}
MASKERS |= {"ConditionalCopula", "ConditionalForest", "ConditionalNearest"}
MASKERS |= {"ConditionalRegression"}
MASKERS |= {"Segments", "SeriesSegments", "SuperpixelTrees", "Superpixels", "Tokens", "Windows"}

RULES = {"Anchors", "Counterfactual", "Effects", "InvariantRange", "reasons"}
RULES |= {"MinimalSets"}
RULES |= {"SurrogateAdditive", "SurrogateTree"}

NAMES = {
    "perturbx": METHODS
    | {"DataShapley"}
    | MASKERS
    | RULES
    | {"Explanation", "RegionTree", "compare_cohorts", "concat", "interop", "load", "metrics"}
    | {"load_explainer", "plots", "report"}
    | {"Archive", "archive"},
    "perturbx.archive": {"Archive", "ArchiveInfo", "ArchiveLike", "ModelFacts", "Verified"}
    | {"info", "prune", "verify"},
    "perturbx.storage": {"Saved", "load_explainer"},
    "perturbx.maskers": MASKERS
    | {"Features", "Fill", "FittedMasker", "Instances", "Masker", "RegionTree", "BoundMasker"},
    "perturbx.explainers": METHODS
    | {"BaseExplainer", "CostEstimate", "DataShapley", "RecipeContext"},
    "perturbx.metrics": {
        "Comparison",
        "Completeness",
        "Comprehensiveness",
        "Deletion",
        "FaithfulnessCorrelation",
        "Infidelity",
        "Insertion",
        "InsertionDeletion",
        "JudgedExplainer",
        "JudgedExplanation",
        "MaxSensitivity",
        "Measure",
        "Metric",
        "Randomization",
        "SensitivityN",
        "Stability",
        "Sufficiency",
        "compare",
        "completeness",
        "comprehensiveness",
        "deletion",
        "faithfulness_correlation",
        "infidelity",
        "insertion",
        "insertion_deletion",
        "max_sensitivity",
        "randomization",
        "sensitivity_n",
        "stability",
        "sufficiency",
    },
    "perturbx.rules": RULES
    | {
        "Anchor",
        "AnchorList",
        "Change",
        "Condition",
        "Counterfactuals",
        "FeatureRange",
        "InvariantRanges",
    }
    | {"AdditiveModel", "Term"}
    | {"Fidelity", "Leaf", "Node", "Reason", "Reasons", "RuleTree"}
    | {"FoundSets", "PieceSet"},
    "perturbx.plots": {"bar", "curves", "effects", "overlay", "series", "surface", "text", "tree"}
    | {"beeswarm", "cohorts", "compare", "convergence", "force", "heatmap", "interactions"}
    | {"rules", "scatter", "waterfall"},
    "perturbx.report": {"report"},
    "perturbx.interop": {
        "ImagePreprocess",
        "as_list",
        "as_map",
        "efficientnet_lite0",
        "from_onnx",
        "from_shap",
        "from_torch",
        "imagenet_classes",
        "log_mlflow",
        "to_frame",
        "to_shap",
    },
    "perturbx.testing": {
        "check_explainer",
        "check_masker",
        "check_metric",
        "check_sampler",
        "check_solver",
    },
    "perturbx.errors": {
        "BudgetError",
        "InvalidInputError",
        "InvalidParameterError",
        "NotFittedError",
        "PerturbxError",
        "PerturbxWarning",
        "PredictFnError",
        "ArchiveError",
        "DamagedArchiveWarning",
        "ModelError",
        "PartialResultWarning",
        "RejectPerturbations",
        "SelectionError",
        "UnknownParameterError",
        "LowFidelityWarning",
        "NotConvergedWarning",
        "UnstableModelWarning",
    },
}

PARTS: dict[str, tuple[type, set[str]]] = {
    "perturbx.designs": (
        Design,
        {
            *("ConvertedNoise", "Effects", "Evaluations", "MirroredNoise", "OutputSums"),
            *("PackedCoalitions", "PairNumbers", "ShiftedGrids", "Steps", "Sums", "Variances"),
        },
    ),
    "perturbx.samplers": (Sampler, {"cells_for"}),
    "perturbx.solvers": (
        Solver,
        {"Answers", "LearnedPrior", "Noise", "Scores", "Solution", "check_reads"},
    ),
}
"""The base of the parts of a room, and what else is public there."""

PARAMETERS = [
    "predict_fn",
    "masker",
    "budget",
    "tol",
    "outputs",
    "output_names",
    "feature_names",
    "groups",
    "link",
    "batch_size",
    "n_jobs",
    "archive",
    "retries",
    "retry_on",
    "timeout",
    "on_error",
    "max_memory",
    "stochastic",
    "random_state",
    "verbose",
]


@pytest.mark.parametrize("room", sorted(NAMES))
def test_names_of_rooms(room: str) -> None:
    """Everything without an underscore that is neither a module nor borrowed."""
    module = importlib.import_module(room)
    if hasattr(module, "__all__"):
        assert set(module.__all__) == NAMES[room]
        return
    assert _public(module) == NAMES[room]


@pytest.mark.parametrize("room", sorted(PARTS))
def test_every_part_of_a_room_is_exported(room: str) -> None:
    """Each public class of a room's modules under its base, and little else."""
    base, others = PARTS[room]
    package = importlib.import_module(room)
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(package.__path__, f"{room}.")
    ]
    parts = {
        name
        for module in modules
        for name in _public(module)
        if inspect.isclass(value := getattr(module, name)) and issubclass(value, base)
        if value.__module__ == module.__name__
    }
    assert _public(package) == parts | others


def _public(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }


def test_the_front_door_lists_what_it_has() -> None:
    """__all__ is sorted, and every name is there."""
    assert sorted(px.__all__) == px.__all__
    assert all(hasattr(px, name) for name in px.__all__)
    assert set(px.__all__) <= set(dir(px))
    with pytest.raises(AttributeError, match="'perturbx' has no attribute 'metric'"):
        px.metric  # noqa: B018


@pytest.mark.parametrize("name", sorted(METHODS))
def test_parameters_of_methods(name: str) -> None:
    """predict_fn by position, then the common keywords, then the method's own."""
    parameters = inspect.signature(getattr(px, name)).parameters
    assert list(parameters)[: len(PARAMETERS)] == PARAMETERS
    kinds = [p.kind for p in parameters.values()]
    assert kinds[0] is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds[1:]) == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_docstrings_of_methods(name: str) -> None:
    """The shared parameters are spelled out, and there is an example."""
    text = getattr(px, name).__doc__
    assert "{common}" not in text
    assert all(f"{p}" in text for p in PARAMETERS)
    assert ">>>" in text


@pytest.mark.parametrize("name", sorted(NAMES["perturbx.errors"]))
def test_errors_subclass_builtins(name: str) -> None:
    """Each is caught by who catches ours, and by who catches Python's."""
    kind = getattr(importlib.import_module("perturbx.errors"), name)
    assert issubclass(kind, (px.errors.PerturbxError, px.errors.PerturbxWarning))
    assert issubclass(kind, (ValueError, TypeError, RuntimeError, OSError, UserWarning)) or (
        name == "PerturbxError"
    )
