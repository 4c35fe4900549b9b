"""Explains any model from the outside.

perturbx perturbs inputs, watches what ``predict_fn(batch) -> scores`` answers, and returns
per-feature scores with error bars.
"""

from perturbx import plots as plots
from perturbx.explainers import Banzhaf as Banzhaf
from perturbx.explainers import Explainer as Explainer
from perturbx.explainers import KernelShap as KernelShap
from perturbx.explainers import Lime as Lime
from perturbx.explainers import Occlusion as Occlusion
from perturbx.explainers import PermutationShap as PermutationShap
from perturbx.explainers import Rise as Rise
from perturbx.explanation import Explanation as Explanation
from perturbx.explanation import load as load
from perturbx.maskers import Background as Background
from perturbx.maskers import Baseline as Baseline
from perturbx.maskers import GaussianNoise as GaussianNoise
from perturbx.maskers import SmoothGrid as SmoothGrid
from perturbx.maskers import Superpixels as Superpixels
from perturbx.maskers import Windows as Windows

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
    "Rise",
    "SmoothGrid",
    "Superpixels",
    "Windows",
    "load",
    "plots",
]
