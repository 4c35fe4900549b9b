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
from perturbx.explainers import OwenShap as OwenShap
from perturbx.explainers import PermutationShap as PermutationShap
from perturbx.explanation import Explanation as Explanation
from perturbx.explanation import load as load
from perturbx.maskers import Background as Background
from perturbx.maskers import Baseline as Baseline
from perturbx.maskers import ColumnTree as ColumnTree
from perturbx.maskers import GaussianNoise as GaussianNoise
from perturbx.maskers import RegionTree as RegionTree
from perturbx.maskers import Superpixels as Superpixels
from perturbx.maskers import SuperpixelTrees as SuperpixelTrees
from perturbx.maskers import Windows as Windows

__version__ = "0.1.0"

__all__ = [
    "Background",
    "Banzhaf",
    "Baseline",
    "ColumnTree",
    "Explainer",
    "Explanation",
    "GaussianNoise",
    "KernelShap",
    "Lime",
    "Occlusion",
    "OwenShap",
    "PermutationShap",
    "RegionTree",
    "SuperpixelTrees",
    "Superpixels",
    "Windows",
    "load",
    "plots",
]
