"""Pictures of an explanation (extra `plots`: matplotlib).

matplotlib is imported when the first picture is drawn, not before. Plots that take an explanation
are its methods as well, as in ``explanation.plot.bar()``: the result knows nothing of them, and
this room hands them to it.
"""

from perturbx.plots.accessor import ExplanationPlots as ExplanationPlots
from perturbx.plots.bar import bar as bar
from perturbx.plots.beeswarm import beeswarm as beeswarm
from perturbx.plots.cohorts import cohorts as cohorts
from perturbx.plots.compare import compare as compare
from perturbx.plots.convergence import convergence as convergence
from perturbx.plots.curves import curves as curves
from perturbx.plots.effects import effects as effects
from perturbx.plots.force import force as force
from perturbx.plots.heatmap import heatmap as heatmap
from perturbx.plots.interactions import interactions as interactions
from perturbx.plots.overlay import overlay as overlay
from perturbx.plots.rules import rules as rules
from perturbx.plots.scatter import scatter as scatter
from perturbx.plots.series import series as series
from perturbx.plots.surface import surface as surface
from perturbx.plots.text import text as text
from perturbx.plots.tree import tree as tree
from perturbx.plots.waterfall import waterfall as waterfall
from perturbx.result import Explanation

__all__ = [
    "bar",
    "beeswarm",
    "cohorts",
    "compare",
    "convergence",
    "curves",
    "effects",
    "force",
    "heatmap",
    "interactions",
    "overlay",
    "rules",
    "scatter",
    "series",
    "surface",
    "text",
    "tree",
    "waterfall",
]

Explanation.plot = property(
    lambda explanation: ExplanationPlots(explanation, [globals()[name] for name in __all__]),
    doc=ExplanationPlots.__doc__,
)
