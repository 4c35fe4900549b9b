"""Every answer of a model on disk, by the content of its row, so that none is paid for twice."""

from perturbx.archive.archive import Archive as Archive
from perturbx.archive.archive import ArchiveLike as ArchiveLike
from perturbx.archive.archive import ModelFacts as ModelFacts
from perturbx.archive.upkeep import ArchiveInfo as ArchiveInfo
from perturbx.archive.upkeep import Verified as Verified
from perturbx.archive.upkeep import info as info
from perturbx.archive.upkeep import prune as prune
from perturbx.archive.upkeep import verify as verify
