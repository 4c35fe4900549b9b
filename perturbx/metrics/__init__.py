"""Is an explanation faithful? Metrics from `predict_fn` alone, for tables and images.

Each function takes the model, the instances and their explanation, and returns a `Measure`: a
number for each instance and output, its cost, how features were removed, and references to compare
it with. `stability`, `max_sensitivity` and `randomization` take the explainer itself. Each function
is made from a `Metric`, a frozen dataclass, which your own metrics extend.
"""

from perturbx.metrics._base import Metric as Metric
from perturbx.metrics.compare import compare as compare
from perturbx.metrics.completeness import Completeness as Completeness
from perturbx.metrics.completeness import completeness as completeness
from perturbx.metrics.judged_explainer import JudgedExplainer as JudgedExplainer
from perturbx.metrics.judged_explanation import JudgedExplanation as JudgedExplanation
from perturbx.metrics.max_sensitivity import MaxSensitivity as MaxSensitivity
from perturbx.metrics.max_sensitivity import max_sensitivity as max_sensitivity
from perturbx.metrics.orders import Comprehensiveness as Comprehensiveness
from perturbx.metrics.orders import Deletion as Deletion
from perturbx.metrics.orders import Insertion as Insertion
from perturbx.metrics.orders import InsertionDeletion as InsertionDeletion
from perturbx.metrics.orders import Sufficiency as Sufficiency
from perturbx.metrics.orders import comprehensiveness as comprehensiveness
from perturbx.metrics.orders import deletion as deletion
from perturbx.metrics.orders import insertion as insertion
from perturbx.metrics.orders import insertion_deletion as insertion_deletion
from perturbx.metrics.orders import sufficiency as sufficiency
from perturbx.metrics.randomization import Randomization as Randomization
from perturbx.metrics.randomization import randomization as randomization
from perturbx.metrics.results import Comparison as Comparison
from perturbx.metrics.results import Measure as Measure
from perturbx.metrics.stability import Stability as Stability
from perturbx.metrics.stability import stability as stability
from perturbx.metrics.subsets import FaithfulnessCorrelation as FaithfulnessCorrelation
from perturbx.metrics.subsets import Infidelity as Infidelity
from perturbx.metrics.subsets import SensitivityN as SensitivityN
from perturbx.metrics.subsets import faithfulness_correlation as faithfulness_correlation
from perturbx.metrics.subsets import infidelity as infidelity
from perturbx.metrics.subsets import sensitivity_n as sensitivity_n
