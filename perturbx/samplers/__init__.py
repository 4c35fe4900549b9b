"""Which perturbations are tried."""

from perturbx.samplers._base import AdaptiveSampler as AdaptiveSampler
from perturbx.samplers._base import Sampler as Sampler
from perturbx.samplers.background_permutations import (
    BackgroundPermutations as BackgroundPermutations,
)
from perturbx.samplers.bernoulli import BernoulliMasks as BernoulliMasks
from perturbx.samplers.gaussian import GaussianNoise as GaussianNoise
from perturbx.samplers.mask_search import MaskSearch as MaskSearch
from perturbx.samplers.one_at_a_time import OneAtATime as OneAtATime
from perturbx.samplers.optimal import OptimalPairs as OptimalPairs
from perturbx.samplers.owen import OwenSplits as OwenSplits
from perturbx.samplers.paths import Paths as Paths
from perturbx.samplers.paths import cells_for as cells_for
from perturbx.samplers.permutations import Permutations as Permutations
from perturbx.samplers.random_grids import RandomGrids as RandomGrids
from perturbx.samplers.shapley import ShapleyCoalitions as ShapleyCoalitions
