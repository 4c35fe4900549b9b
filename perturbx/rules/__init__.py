"""Answers that are not scores: rules, boxes, changed rows, and more.

Also curves of the output along a feature, and reasons in words.
"""

from perturbx.rules.additive_model import AdditiveModel as AdditiveModel
from perturbx.rules.additive_model import Term as Term
from perturbx.rules.anchor import Anchor as Anchor
from perturbx.rules.anchor import Condition as Condition
from perturbx.rules.anchor_list import AnchorList as AnchorList
from perturbx.rules.anchors import Anchors as Anchors
from perturbx.rules.counterfactual import Counterfactual as Counterfactual
from perturbx.rules.counterfactuals import Change as Change
from perturbx.rules.counterfactuals import Counterfactuals as Counterfactuals
from perturbx.rules.effects import Effects as Effects
from perturbx.rules.fidelity import Fidelity as Fidelity
from perturbx.rules.found_sets import FoundSets as FoundSets
from perturbx.rules.found_sets import PieceSet as PieceSet
from perturbx.rules.invariant_range import InvariantRange as InvariantRange
from perturbx.rules.invariant_ranges import FeatureRange as FeatureRange
from perturbx.rules.invariant_ranges import InvariantRanges as InvariantRanges
from perturbx.rules.minimal_sets import MinimalSets as MinimalSets
from perturbx.rules.reasons import Reason as Reason
from perturbx.rules.reasons import Reasons as Reasons
from perturbx.rules.reasons import reasons as reasons
from perturbx.rules.rule_tree import Leaf as Leaf
from perturbx.rules.rule_tree import Node as Node
from perturbx.rules.rule_tree import RuleTree as RuleTree
from perturbx.rules.surrogate_additive import SurrogateAdditive as SurrogateAdditive
from perturbx.rules.surrogate_tree import SurrogateTree as SurrogateTree
