"""Is an explanation faithful? Metrics from `predict_fn` alone, for tables and images.

Each takes the model, the instances and their explanation, and returns a `Measure`: a number for
each instance and output, what it cost, how features were removed, and references to read it
against. `stability`, `max_sensitivity` and `randomisation` take the explainer itself.
"""

from perturbx.metrics._comparison import Comparison as Comparison
from perturbx.metrics._measure import Measure as Measure
from perturbx.metrics.compare import compare as compare
from perturbx.metrics.completeness import completeness as completeness
from perturbx.metrics.comprehensiveness import comprehensiveness as comprehensiveness
from perturbx.metrics.deletion import deletion as deletion
from perturbx.metrics.faithfulness_correlation import (
    faithfulness_correlation as faithfulness_correlation,
)
from perturbx.metrics.infidelity import infidelity as infidelity
from perturbx.metrics.insertion import insertion as insertion
from perturbx.metrics.insertion_deletion import insertion_deletion as insertion_deletion
from perturbx.metrics.max_sensitivity import max_sensitivity as max_sensitivity
from perturbx.metrics.randomisation import randomisation as randomisation
from perturbx.metrics.sensitivity_n import sensitivity_n as sensitivity_n
from perturbx.metrics.stability import stability as stability
from perturbx.metrics.sufficiency import sufficiency as sufficiency
