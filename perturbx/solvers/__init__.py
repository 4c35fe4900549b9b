"""Outputs to scores, with standard errors."""

from perturbx.solvers._base import Solution as Solution
from perturbx.solvers._base import Solver as Solver
from perturbx.solvers.banzhaf import BanzhafRegression as BanzhafRegression
from perturbx.solvers.deltas import Deltas as Deltas
from perturbx.solvers.interactions import PairwiseInteractions as PairwiseInteractions
from perturbx.solvers.kernel_shap import KernelShapRegression as KernelShapRegression
from perturbx.solvers.marginal import MarginalContributions as MarginalContributions
from perturbx.solvers.owen import OwenValues as OwenValues
from perturbx.solvers.presence_ridge import PresenceRidge as PresenceRidge
from perturbx.solvers.presences import PresenceMeans as PresenceMeans
from perturbx.solvers.presences import PresenceSlopes as PresenceSlopes
from perturbx.solvers.process import OddProcess as OddProcess
from perturbx.solvers.ridge import WeightedRidge as WeightedRidge
from perturbx.solvers.row_contributions import RowContributions as RowContributions
from perturbx.solvers.with_interactions import WithInteractions as WithInteractions
