"""How features are removed: background rows, baselines, noise, regions, windows, pieces."""

from perturbx.maskers._base import BoundMasker as BoundMasker
from perturbx.maskers._base import Features as Features
from perturbx.maskers._base import FittedMasker as FittedMasker
from perturbx.maskers._base import Instances as Instances
from perturbx.maskers._base import Masker as Masker
from perturbx.maskers._region_trees import RegionTree as RegionTree
from perturbx.maskers.background import Background as Background
from perturbx.maskers.baseline import Baseline as Baseline
from perturbx.maskers.causal_copula import CausalCopula as CausalCopula
from perturbx.maskers.column_tree import ColumnTree as ColumnTree
from perturbx.maskers.conditional_copula import ConditionalCopula as ConditionalCopula
from perturbx.maskers.conditional_forest import ConditionalForest as ConditionalForest
from perturbx.maskers.conditional_nearest import ConditionalNearest as ConditionalNearest
from perturbx.maskers.conditional_regression import (
    ConditionalRegression as ConditionalRegression,
)
from perturbx.maskers.fade import Fade as Fade
from perturbx.maskers.fills import Fill as Fill
from perturbx.maskers.gaussian import GaussianNoise as GaussianNoise
from perturbx.maskers.region_noise import RegionNoise as RegionNoise
from perturbx.maskers.segments import Segments as Segments
from perturbx.maskers.series_segments import SeriesSegments as SeriesSegments
from perturbx.maskers.smooth_grid import SmoothGrid as SmoothGrid
from perturbx.maskers.superpixel_trees import SuperpixelTrees as SuperpixelTrees
from perturbx.maskers.superpixels import Superpixels as Superpixels
from perturbx.maskers.tokens import Tokens as Tokens
from perturbx.maskers.windows import Windows as Windows
