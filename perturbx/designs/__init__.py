"""What is tried: one class for each structure, and the answers to it."""

from perturbx.designs._base import CoalitionDesign as CoalitionDesign
from perturbx.designs._base import Design as Design
from perturbx.designs.chains import AntitheticChains as AntitheticChains
from perturbx.designs.chains import BackgroundChains as BackgroundChains
from perturbx.designs.chains import Chains as Chains
from perturbx.designs.custom import CustomCoalitions as CustomCoalitions
from perturbx.designs.evaluations import Evaluations as Evaluations
from perturbx.designs.independent import Independent as Independent
from perturbx.designs.leave_one_out import LeaveOneOut as LeaveOneOut
from perturbx.designs.noise import NoiseDraws as NoiseDraws
from perturbx.designs.pairs import Pairs as Pairs
from perturbx.designs.soft_masks import SoftMasks as SoftMasks
from perturbx.designs.tree_splits import Steps as Steps
from perturbx.designs.tree_splits import TreeSplits as TreeSplits
