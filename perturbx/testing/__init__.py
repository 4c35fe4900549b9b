"""Public contracts: checks for maskers, samplers, solvers, explainers and metrics.

Use them to test your own parts: ``check_sampler(MySampler())`` in a test is enough. Each raises
``AssertionError`` with the sentence of the contract that does not hold.
"""

from perturbx.testing.explainers import check_explainer as check_explainer
from perturbx.testing.maskers import check_masker as check_masker
from perturbx.testing.metrics import check_metric as check_metric
from perturbx.testing.samplers import check_sampler as check_sampler
from perturbx.testing.solvers import check_solver as check_solver
