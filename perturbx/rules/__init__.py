"""Answers that are not scores: rules that hold a decision, and reasons in words."""

from perturbx.rules.anchor import Anchor as Anchor
from perturbx.rules.anchor import Condition as Condition
from perturbx.rules.anchors import Anchors as Anchors
from perturbx.rules.reasons import Reason as Reason
from perturbx.rules.reasons import Reasons as Reasons
from perturbx.rules.reasons import reasons as reasons
