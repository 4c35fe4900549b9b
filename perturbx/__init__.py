"""Explains any model from the outside.

perturbx perturbs inputs, watches what ``predict_fn(batch) -> scores`` answers, and returns
per-feature scores with error bars.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from perturbx import archive as archive
from perturbx import plots as plots
from perturbx._version import __version__ as __version__
from perturbx.archive import Archive as Archive
from perturbx.explainers import AmortizedShap as AmortizedShap
from perturbx.explainers import Banzhaf as Banzhaf
from perturbx.explainers import DataShapley as DataShapley
from perturbx.explainers import Explainer as Explainer
from perturbx.explainers import IntegratedGradients as IntegratedGradients
from perturbx.explainers import KernelShap as KernelShap
from perturbx.explainers import Lime as Lime
from perturbx.explainers import MeaningfulPerturbation as MeaningfulPerturbation
from perturbx.explainers import Occlusion as Occlusion
from perturbx.explainers import OwenShap as OwenShap
from perturbx.explainers import PermutationImportance as PermutationImportance
from perturbx.explainers import PermutationShap as PermutationShap
from perturbx.explainers import Rise as Rise
from perturbx.explainers import Sage as Sage
from perturbx.explainers import SmoothGrad as SmoothGrad
from perturbx.maskers import Background as Background
from perturbx.maskers import Baseline as Baseline
from perturbx.maskers import CausalCopula as CausalCopula
from perturbx.maskers import ColumnTree as ColumnTree
from perturbx.maskers import ConditionalCopula as ConditionalCopula
from perturbx.maskers import ConditionalForest as ConditionalForest
from perturbx.maskers import ConditionalNearest as ConditionalNearest
from perturbx.maskers import ConditionalRegression as ConditionalRegression
from perturbx.maskers import Fade as Fade
from perturbx.maskers import GaussianNoise as GaussianNoise
from perturbx.maskers import RegionNoise as RegionNoise
from perturbx.maskers import RegionTree as RegionTree
from perturbx.maskers import Segments as Segments
from perturbx.maskers import SeriesSegments as SeriesSegments
from perturbx.maskers import SmoothGrid as SmoothGrid
from perturbx.maskers import Superpixels as Superpixels
from perturbx.maskers import SuperpixelTrees as SuperpixelTrees
from perturbx.maskers import Tokens as Tokens
from perturbx.maskers import Windows as Windows
from perturbx.report import report as report
from perturbx.result import Explanation as Explanation
from perturbx.result import compare_cohorts as compare_cohorts
from perturbx.result import concat as concat
from perturbx.result import load as load
from perturbx.rules import Anchors as Anchors
from perturbx.rules import Counterfactual as Counterfactual
from perturbx.rules import Effects as Effects
from perturbx.rules import InvariantRange as InvariantRange
from perturbx.rules import MinimalSets as MinimalSets
from perturbx.rules import SurrogateAdditive as SurrogateAdditive
from perturbx.rules import SurrogateTree as SurrogateTree
from perturbx.rules import reasons as reasons
from perturbx.storage import load_explainer as load_explainer

if _TYPE_CHECKING:
    from perturbx import interop as interop
    from perturbx import metrics as metrics
else:

    def __getattr__(name: str) -> object:
        """Rooms that few need are imported when they are asked for."""
        if name not in _LATER:
            raise AttributeError(f"module 'perturbx' has no attribute {name!r}")
        from importlib import import_module

        return import_module(f"perturbx.{name}")


_LATER = ("interop", "metrics")

__all__ = [
    "AmortizedShap",
    "Anchors",
    "Archive",
    "Background",
    "Banzhaf",
    "Baseline",
    "CausalCopula",
    "ColumnTree",
    "ConditionalCopula",
    "ConditionalForest",
    "ConditionalNearest",
    "ConditionalRegression",
    "Counterfactual",
    "DataShapley",
    "Effects",
    "Explainer",
    "Explanation",
    "Fade",
    "GaussianNoise",
    "IntegratedGradients",
    "InvariantRange",
    "KernelShap",
    "Lime",
    "MeaningfulPerturbation",
    "MinimalSets",
    "Occlusion",
    "OwenShap",
    "PermutationImportance",
    "PermutationShap",
    "RegionNoise",
    "RegionTree",
    "Rise",
    "Sage",
    "Segments",
    "SeriesSegments",
    "SmoothGrad",
    "SmoothGrid",
    "SuperpixelTrees",
    "Superpixels",
    "SurrogateAdditive",
    "SurrogateTree",
    "Tokens",
    "Windows",
    "archive",
    "compare_cohorts",
    "concat",
    "interop",
    "load",
    "load_explainer",
    "metrics",
    "plots",
    "reasons",
    "report",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
