"""The model's outputs turned into scores, with standard errors."""

from perturbx.solvers._answers import Answers as Answers
from perturbx.solvers._answers import Noise as Noise
from perturbx.solvers._answers import Scores as Scores
from perturbx.solvers._answers import Solution as Solution
from perturbx.solvers._base import Solver as Solver
from perturbx.solvers._base import check_reads as check_reads
from perturbx.solvers.background_contributions import (
    BackgroundContributions as BackgroundContributions,
)
from perturbx.solvers.banzhaf import BanzhafRegression as BanzhafRegression
from perturbx.solvers.deltas import Deltas as Deltas
from perturbx.solvers.interactions import WithInteractions as WithInteractions
from perturbx.solvers.kernel_shap import KernelShapRegression as KernelShapRegression
from perturbx.solvers.marginal import MarginalContributions as MarginalContributions
from perturbx.solvers.noise_gradient import NoiseGradient as NoiseGradient
from perturbx.solvers.owen import OwenValues as OwenValues
from perturbx.solvers.path_integral import PathIntegral as PathIntegral
from perturbx.solvers.presence_ridge import PresenceRidge as PresenceRidge
from perturbx.solvers.presences import PresenceMeans as PresenceMeans
from perturbx.solvers.presences import PresenceSlopes as PresenceSlopes
from perturbx.solvers.process import GaussianProcess as GaussianProcess
from perturbx.solvers.process import LearnedPrior as LearnedPrior
from perturbx.solvers.process.sparse_regression import SparseRegression as SparseRegression
from perturbx.solvers.ridge import WeightedRidge as WeightedRidge
from perturbx.solvers.smallest_mask import SmallestMask as SmallestMask
