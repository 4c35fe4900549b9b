"""Kernel SHAP with a Gaussian process over interactions, and the parts that it is made of."""

from perturbx.solvers.process.learned_prior import LearnedPrior as LearnedPrior
from perturbx.solvers.process.mask_trees import Boosting as Boosting
from perturbx.solvers.process.solver import GaussianProcess as GaussianProcess
