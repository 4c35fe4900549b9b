"""The text of the demo: tables, and a sentence about each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from textwrap import fill

import numpy as np

from perturbx._demo.cases import Digit, Patient
from perturbx.result import Explanation

WIDTH = 88
"""The characters of a line of text."""


def patient_report(patient: Patient) -> str:
    """Both tables of the patient, each below its question."""
    shap, lime = patient.shap, patient.lime
    return "\n\n".join(
        [
            _heading("A patient: is the tumor malignant?"),
            fill(
                "Boosted trees on scikit-learn's breast cancer data are right for "
                f"{patient.accuracy:.0%} of the test patients, and least sure about this one. They "
                f"predict malignant with {_percent(shap.predictions)} probability; the tumor was "
                f"{patient.truth}.",
                WIDTH,
            ),
            "1. Why does this patient's prediction differ from the average?",
            repr(shap),
            fill("In words: " + _shap_sentence(shap), WIDTH),
            "2. What would change the prediction of this patient?",
            repr(lime),
            fill("In words: " + _lime_sentence(lime), WIDTH),
        ]
    )


def digit_report(digit: Digit) -> str:
    """The table of the digit, below its question."""
    first, second = (str(name) for name in digit.shap.output_names)
    likely, less = np.asarray(digit.shap.predictions)
    return "\n\n".join(
        [
            "\n" + _heading("A digit: which pixels decide?"),
            fill(
                f"A network with 64 hidden units is right for {digit.accuracy:.0%} of the test "
                f"digits. It gets this {digit.truth} right, but is not sure: it predicts {first} "
                f"with {_percent(likely)} and {second} with {_percent(less)} probability.",
                WIDTH,
            ),
            f"3. Which pixels are evidence for {first}, and which for {second}?",
            repr(digit.shap),
            fill("In words: " + _digit_sentence(digit.shap), WIDTH) + "\n",
        ]
    )


def _largest(one: Explanation) -> tuple[str, str, str]:
    """The feature with the largest score, the score, and its error in percentage points."""
    top = int(np.argmax(np.abs(one.values)))
    return (
        one.feature_names[top],
        points(one.values[top]),
        f"{100 * one.standard_errors[top]:.1f}",
    )


def _shap_sentence(one: Explanation) -> str:
    name, score, error = _largest(one)
    return (
        f"compared with the average over the background rows ({_percent(one.base_values)} "
        f'malignant), "{name}" moves this patient by {score} percentage points. All scores add up '
        "to the prediction. The ± is the standard error from trying only some of the 2^30 "
        f"combinations, here {error} points."
    )


def _lime_sentence(one: Explanation) -> str:
    name, score, error = _largest(one)
    return (
        f'if "{name}" were one standard deviation higher, the prediction would change by about '
        f"{score} ± {error} points, according to a linear model that explains "
        f"{_percent(one.fidelity)} of the variance near this patient. This question differs from "
        "the first, and so does its answer."
    )


def _digit_sentence(one: Explanation) -> str:
    first, second = (str(name) for name in one.output_names)
    for_, against = (int(pick(one[..., 0].values)) for pick in (np.argmax, np.argmin))
    return (
        f"the ink at {one.feature_names[for_]} is the strongest evidence for {first} "
        f"({points(one.values[for_, 0])} points, and {points(one.values[for_, 1])} for {second}). "
        f"The ink at {one.feature_names[against]} is the strongest evidence against it "
        f"({points(one.values[against, 0])} points, and {points(one.values[against, 1])} for "
        f"{second}). Pixels without ink score 0, since there is nothing to remove."
    )


def _heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}"


def _percent(share: object) -> str:
    return f"{float(np.asarray(share).item()):.0%}"


def points(score: float) -> str:
    """A difference of probabilities in percentage points."""
    return f"{100 * score:+.1f}"


def finish(draw: Callable[[], None], out: Path, start: float) -> None:
    """Draw the picture if matplotlib is installed, and print the last lines."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        closing = 'For the picture as well: pip install "perturbx[plots]"'
    else:
        draw()
        closing = f"The same as a picture: {out}"
    print(f"{closing}\n({time.perf_counter() - start:.0f} seconds)")
