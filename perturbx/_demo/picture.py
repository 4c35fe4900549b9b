"""The demo's picture: a patient on the left, a digit on the right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perturbx import plots
from perturbx._demo.cases import Digit, Patient

_INK, _GRAY = "#262626", "#737373"


def draw(patient: Patient, digit: Digit, out: Path) -> None:
    """Write the picture to `out`."""
    # This Figure needs no screen, and leaves the user's pyplot alone.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    margins = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure: Any = Figure(figsize=(13.6, 7.4), dpi=110, layout=margins, facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=[1.12, 1], wspace=0.04)
    upper, lower = right.subfigures(2, 1, height_ratios=[1, 1.05], hspace=0.04)
    _title(
        left,
        "Why did this patient get this score?",
        "Kernel SHAP: each bar is a feature's share, its whisker a 95% interval",
    )
    plots.waterfall(patient.shap, max_display=13, ax=left.subplots(), show=False)
    first, second = (str(name) for name in digit.shap.output_names)
    _title(
        upper,
        f"Why {first}, and why not {second}?",
        "Kernel SHAP: red ink is evidence for the digit above, blue against it",
    )
    image, *maps = upper.subplots(1, 3)
    image.imshow(np.asarray(digit.shap.data), cmap="gray", vmin=-2.4)
    image.set_axis_off()
    image.set_title("the digit", fontsize=9.5, color=_INK, pad=5)
    plots.overlay(digit.shap, alpha=0.9, ax=maps, show=False)
    _title(
        lower,
        "What would change the patient's score?",
        "LIME: the effect of one standard deviation more, with a 95% interval",
    )
    plots.bar(patient.lime, max_display=7, ax=lower.subplots(), show=False)
    figure.savefig(out)


def _title(panel: Any, title: str, subtitle: str) -> None:
    """A bold line and, where its empty second line leaves room, a gray one."""
    from matplotlib.transforms import ScaledTranslation

    panel.suptitle(f"{title}\n", fontsize=14, color=_INK, weight="bold", x=0.02, ha="left")
    below = ScaledTranslation(0, -29 / 72, panel.dpi_scale_trans)
    place = panel.transSubfigure + below
    panel.text(0.02, 1, subtitle, transform=place, fontsize=9.5, color=_GRAY, va="top")
