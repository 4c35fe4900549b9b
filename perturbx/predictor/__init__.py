"""The one door to ``predict_fn``: calls it, and checks what it returns."""

from perturbx.predictor.calling import resolve as resolve
from perturbx.predictor.patience import ONCE as ONCE
from perturbx.predictor.patience import Patience as Patience
from perturbx.predictor.patience import RetryOn as RetryOn
from perturbx.predictor.predictor import Predictor as Predictor
from perturbx.predictor.predictor import connect as connect
