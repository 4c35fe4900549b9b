"""What is tried: one class for each structure, and the model's answers to it."""

from perturbx.designs._base import CoalitionDesign as CoalitionDesign
from perturbx.designs._base import Design as Design
from perturbx.designs.chains import AntitheticChains as AntitheticChains
from perturbx.designs.chains import BackgroundChains as BackgroundChains
from perturbx.designs.chains import Chains as Chains
from perturbx.designs.chains import ConsistentBackgroundChains as ConsistentBackgroundChains
from perturbx.designs.chains import ConsistentChains as ConsistentChains
from perturbx.designs.coalitions import CustomCoalitions as CustomCoalitions
from perturbx.designs.coalitions import Independent as Independent
from perturbx.designs.coalitions import LeaveOneOut as LeaveOneOut
from perturbx.designs.coalitions import StoredCoalitions as StoredCoalitions
from perturbx.designs.continuous import GradedDesign as GradedDesign
from perturbx.designs.continuous import NoiseDraws as NoiseDraws
from perturbx.designs.continuous import SoftMasks as SoftMasks
from perturbx.designs.down_sets import DownSets as DownSets
from perturbx.designs.evaluations import Evaluations as Evaluations
from perturbx.designs.pairs import Pairs as Pairs
from perturbx.designs.paths import PathDifferences as PathDifferences
from perturbx.designs.repeated import Repeated as Repeated
from perturbx.designs.searched import Searched as Searched
from perturbx.designs.searched import SearchedCoalitions as SearchedCoalitions
from perturbx.designs.searched import SearchedMasks as SearchedMasks
from perturbx.designs.tree_splits import BackgroundTreeSplits as BackgroundTreeSplits
from perturbx.designs.tree_splits import Steps as Steps
from perturbx.designs.tree_splits import TreeSplits as TreeSplits
from perturbx.designs.variances import Variances as Variances
