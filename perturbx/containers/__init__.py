"""Rows of any container taken apart and put together again, dtypes intact."""

from perturbx.containers._base import Cells as Cells
from perturbx.containers._base import Layout as Layout
from perturbx.containers.arrays import ArrayLayout as ArrayLayout
from perturbx.containers.blend import blend as blend
from perturbx.containers.cells import is_missing as is_missing
from perturbx.containers.digests import digests_of as digests_of
from perturbx.containers.digests import rows_at as rows_at
from perturbx.containers.foreign import holds_texts as holds_texts
from perturbx.containers.foreign import looks_like_images as looks_like_images
from perturbx.containers.foreign import rows_and_weights as rows_and_weights
from perturbx.containers.table_numbers import OTHER as OTHER
from perturbx.containers.table_numbers import TableNumbers as TableNumbers
from perturbx.containers.tables import layout_of as layout_of
from perturbx.containers.tables import rows_of as rows_of
from perturbx.containers.tables import training_rows as training_rows
from perturbx.containers.texts import TextLayout as TextLayout
from perturbx.containers.texts import texts_of as texts_of
