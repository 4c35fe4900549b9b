"""The one door to ``predict_fn``: calls it, and checks what it returns."""

from perturbx.predictor.calling import resolve as resolve
from perturbx.predictor.predictor import Predictor as Predictor
from perturbx.predictor.predictor import connect as connect
