"""Predictor, masker and link as one game: a design to outputs, in bounded memory."""

from perturbx.game.game import Cost as Cost
from perturbx.game.game import Game as Game
from perturbx.game.game import Parts as Parts
from perturbx.game.game import averages as averages
from perturbx.game.game import check_link as check_link
from perturbx.game.game import link as link
from perturbx.game.game import of_all_features as of_all_features
from perturbx.game.probe import probe as probe
from perturbx.game.probe import probe_cost as probe_cost
