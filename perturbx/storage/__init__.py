"""Explainers and rules in files, without pickle."""

from perturbx.storage.saved import Saved as Saved
from perturbx.storage.saved import load_explainer as load_explainer
