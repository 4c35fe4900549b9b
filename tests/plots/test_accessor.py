"""``explanation.plot`` has every plot that takes an explanation."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import perturbx as px
import pytest
from perturbx import plots
from perturbx.result import Explanation


def test_each_plot_of_an_explanation_is_a_method(make):
    """Exactly those plots of the room whose first parameter is an explanation."""
    first = {n: next(iter(inspect.signature(getattr(plots, n)).parameters)) for n in plots.__all__}
    assert dir(make().plot) == sorted(n for n in first if first[n] == "explanation")
    assert {"bar", "waterfall", "overlay", "series", "text"} <= set(dir(make().plot))


def test_a_method_draws_what_the_function_draws(make):
    """The same bars, with the keywords of the function, and its documentation."""
    one = make(d=12)[0]
    ours = one.plot.waterfall(max_display=4, show=False)
    theirs = plots.waterfall(one, max_display=4, show=False)
    widths = [[bar.get_width() for bar in ax.patches] for ax in (ours, theirs)]
    np.testing.assert_array_equal(*widths)
    assert one.plot.waterfall.__doc__ == plots.waterfall.__doc__
    assert "explanation" not in inspect.signature(one.plot.waterfall).parameters
    assert "waterfall" in repr(one.plot)
    assert "explanation.plot.bar()" in Explanation.plot.__doc__


def test_other_names_are_refused(make):
    """The error says what there is, or which function draws it."""
    with pytest.raises(AttributeError, match=r"use px\.plots\.tree\(result\)"):
        make().plot.tree()
    with pytest.raises(AttributeError, match="no plot 'waterfal': there are bar, "):
        make().plot.waterfal()


def test_explanations_are_copied_and_pickled(make):
    """The accessor is no part of an explanation."""
    one = make()
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), px.concat([one])):
        assert dir(other.plot) == dir(one.plot)
    copy.copy(one.plot)
