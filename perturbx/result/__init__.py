"""The frozen result of every method: slicing, storage, summary and views."""

from perturbx.result.cohorts import CohortComparison as CohortComparison
from perturbx.result.cohorts import compare_cohorts as compare_cohorts
from perturbx.result.concat import concat as concat
from perturbx.result.effects import EffectCurve as EffectCurve
from perturbx.result.effects import EffectCurves as EffectCurves
from perturbx.result.effects import EffectSurface as EffectSurface
from perturbx.result.explanation import Explanation as Explanation
from perturbx.result.explanation import load as load
from perturbx.result.importance import Importance as Importance
from perturbx.result.interactions import Interactions as Interactions
from perturbx.result.per_instance import PerInstance as PerInstance
from perturbx.result.per_instance import Remark as Remark
from perturbx.result.reading import one_output as one_output
from perturbx.result.reading import values_without_rounding as values_without_rounding
from perturbx.result.reading import without_rounding as without_rounding
