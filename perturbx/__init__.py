"""Explains any model from the outside.

perturbx perturbs inputs, watches what ``predict_fn(batch) -> scores`` answers, and returns
per-feature scores with error bars.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from perturbx import plots as plots
from perturbx.explainers import Banzhaf as Banzhaf
from perturbx.explainers import Explainer as Explainer
from perturbx.explainers import KernelShap as KernelShap
from perturbx.explainers import Lime as Lime
from perturbx.explainers import Occlusion as Occlusion
from perturbx.explainers import PermutationShap as PermutationShap
from perturbx.explanation import Explanation as Explanation
from perturbx.explanation import load as load
from perturbx.maskers import Background as Background
from perturbx.maskers import Baseline as Baseline
from perturbx.maskers import GaussianNoise as GaussianNoise
from perturbx.maskers import Superpixels as Superpixels
from perturbx.maskers import Windows as Windows

if _TYPE_CHECKING:
    from perturbx import metrics as metrics

__version__ = "0.1.0"

__all__ = [
    "Background",
    "Banzhaf",
    "Baseline",
    "Explainer",
    "Explanation",
    "GaussianNoise",
    "KernelShap",
    "Lime",
    "Occlusion",
    "PermutationShap",
    "Superpixels",
    "Windows",
    "load",
    "metrics",
    "plots",
]


def __getattr__(name: str) -> _Any:
    """Metrics are imported when they are first used."""
    if name == "metrics":
        import importlib

        return importlib.import_module("perturbx.metrics")
    raise AttributeError(f"module 'perturbx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
