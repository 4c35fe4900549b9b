"""The public names, exactly; a change of them is a change of this file."""

from __future__ import annotations

import importlib
import inspect

import perturbx as px
import pytest

METHODS = {"Banzhaf", "Explainer", "KernelShap", "Lime", "Occlusion", "OwenShap"}
METHODS |= {"PermutationShap", "Rise"}
MASKERS = {"Background", "Baseline", "ColumnTree", "GaussianNoise", "SmoothGrid"}
MASKERS |= {"SuperpixelTrees", "Superpixels", "Windows"}

NAMES = {
    "perturbx": METHODS
    | MASKERS
    | {"Explanation", "RegionTree", "interop", "load", "metrics", "plots"},
    "perturbx.maskers": MASKERS
    | {"Features", "FittedMasker", "Masker", "RegionTree", "BoundMasker"},
    "perturbx.designs": {
        "AntitheticChains",
        "BackgroundChains",
        "BackgroundTreeSplits",
        "Chains",
        "CoalitionDesign",
        "CustomCoalitions",
        "Design",
        "Evaluations",
        "Independent",
        "LeaveOneOut",
        "NoiseDraws",
        "Pairs",
        "SoftMasks",
        "Steps",
        "StoredCoalitions",
        "TreeSplits",
    },
    "perturbx.samplers": {
        "AdaptiveSampler",
        "BernoulliMasks",
        "GaussianNoise",
        "OneAtATime",
        "OptimalPairs",
        "OwenSplits",
        "Permutations",
        "RandomGrids",
        "BackgroundPermutations",
        "Sampler",
        "ShapleyCoalitions",
    },
    "perturbx.solvers": {
        "Answers",
        "BanzhafRegression",
        "Deltas",
        "KernelShapRegression",
        "MarginalContributions",
        "GaussianProcess",
        "OwenValues",
        "PresenceMeans",
        "PresenceRidge",
        "PresenceSlopes",
        "BackgroundContributions",
        "Scores",
        "Solution",
        "Solver",
        "check_reads",
        "floor",
        "WeightedRidge",
        "WithInteractions",
    },
    "perturbx.explainers": METHODS | {"BaseExplainer"},
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
    "perturbx.plots": {"bar", "curves", "overlay", "waterfall"},
    "perturbx.interop": {
        "ImagePreprocess",
        "efficientnet_lite0",
        "from_onnx",
        "from_torch",
        "imagenet_classes",
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
        "RejectPerturbations",
        "SelectionError",
        "UnknownParameterError",
        "UnstableModelWarning",
    },
}

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
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert own == NAMES[room]


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
    assert issubclass(kind, (ValueError, TypeError, RuntimeError, UserWarning)) or (
        name == "PerturbxError"
    )
