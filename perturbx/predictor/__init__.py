"""The one door to ``predict_fn``: what is called, what it is given, and what it may answer."""

from perturbx.predictor.predictor import Predictor as Predictor
from perturbx.predictor.predictor import connect as connect
from perturbx.predictor.predictor import resolve as resolve
