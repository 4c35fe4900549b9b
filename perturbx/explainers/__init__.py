"""The methods: recipes of masker, sampler and solver."""

from perturbx.explainers._base import BaseExplainer as BaseExplainer
from perturbx.explainers._plan import RecipeContext as RecipeContext
from perturbx.explainers.amortized_shap import AmortizedShap as AmortizedShap
from perturbx.explainers.banzhaf import Banzhaf as Banzhaf
from perturbx.explainers.cost_estimate import CostEstimate as CostEstimate
from perturbx.explainers.data_shapley import DataShapley as DataShapley
from perturbx.explainers.explainer import Explainer as Explainer
from perturbx.explainers.integrated_gradients import IntegratedGradients as IntegratedGradients
from perturbx.explainers.kernel_shap import KernelShap as KernelShap
from perturbx.explainers.lime import Lime as Lime
from perturbx.explainers.meaningful_perturbation import (
    MeaningfulPerturbation as MeaningfulPerturbation,
)
from perturbx.explainers.occlusion import Occlusion as Occlusion
from perturbx.explainers.owen_shap import OwenShap as OwenShap
from perturbx.explainers.permutation_importance import (
    PermutationImportance as PermutationImportance,
)
from perturbx.explainers.permutation_shap import PermutationShap as PermutationShap
from perturbx.explainers.rise import Rise as Rise
from perturbx.explainers.sage import Sage as Sage
from perturbx.explainers.smooth_grad import SmoothGrad as SmoothGrad
