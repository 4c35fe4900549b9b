"""Features: groups of columns, regions, segments of a series, pieces of a text, trees, orders."""

from perturbx.features.columns import Columns as Columns
from perturbx.features.columns import Labels as Labels
from perturbx.features.feature_order import FeatureOrder as FeatureOrder
from perturbx.features.feature_tree import FeatureTree as FeatureTree
from perturbx.features.regions import LabelMap as LabelMap
from perturbx.features.regions import Lattice as Lattice
from perturbx.features.regions import Pieces as Pieces
from perturbx.features.regions import Regions as Regions
from perturbx.features.regions import WindowGrid as WindowGrid
from perturbx.features.series_map import SeriesMap as SeriesMap
from perturbx.features.spans import Spans as Spans
from perturbx.features.spans import names_of as names_of
from perturbx.features.spans import visible as visible
