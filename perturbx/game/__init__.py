"""Predictor, masker and link as one game: a design to outputs, in bounded memory."""

from perturbx.game.block import of_all_features as of_all_features
from perturbx.game.cost import Cost as Cost
from perturbx.game.game import Game as Game
from perturbx.game.links import check_link as check_link
from perturbx.game.links import link as link
from perturbx.game.parts import Parts as Parts
from perturbx.game.parts import averages as averages
from perturbx.game.probe import probe as probe
from perturbx.game.probe import probe_cost as probe_cost
from perturbx.game.probe import unasked as unasked
from perturbx.game.swaps import Swaps as Swaps
