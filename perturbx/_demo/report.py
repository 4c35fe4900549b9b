"""What the demo prints: tables, and a sentence that says what they mean."""

from __future__ import annotations

from textwrap import fill

import numpy as np

from perturbx._demo.cases import Digit, Patient
from perturbx.result import Explanation

_WIDTH = 88


def patient_report(patient: Patient) -> str:
    """Both tables of the patient, each under its question."""
    shap, lime = patient.shap, patient.lime
    return "\n\n".join(
        [
            _heading("A patient: is the tumour malignant?"),
            _text(
                f"Boosted trees, right for {patient.accuracy:.0%} of the test patients of "
                "scikit-learn's breast cancer data, are least sure of this one: they say "
                f"malignant with {_percent(shap.predictions)}; the tumour was {patient.truth}."
            ),
            "1. What moved this patient away from the average one?",
            repr(shap),
            _text("In words: " + _shap_sentence(shap)),
            "2. What would move the answer from here?",
            repr(lime),
            _text("In words: " + _lime_sentence(lime)),
        ]
    )


def digit_report(digit: Digit) -> str:
    """The table of the digit under its question."""
    first, second = (str(name) for name in digit.shap.output_names)
    likely, less = np.asarray(digit.shap.predictions)
    return "\n\n".join(
        [
            "\n" + _heading("A digit: which ink made it what it is?"),
            _text(
                f"A network with 64 hidden units, right for {digit.accuracy:.0%} of the test "
                f"digits, gets this {digit.truth} right, with some doubt: it says {first} with "
                f"{_percent(likely)} and {second} with {_percent(less)}."
            ),
            f"3. Which pixels speak for {first}, which for {second}?",
            repr(digit.shap),
            _text("In words: " + _digit_sentence(digit.shap)) + "\n",
        ]
    )


def _shap_sentence(one: Explanation) -> str:
    top = int(np.argmax(np.abs(one.values)))
    score, error = one.values[top], one.standard_errors[top]
    return (
        f"against the average over the background rows ({_percent(one.base_values)} malignant), "
        f'"{one.feature_names[top]}" moves this patient by {_points(score)} percentage points, '
        "and all scores add up to the prediction. The ± is what trying only some of the 2^30 "
        f"combinations leaves open: here a standard error of {100 * error:.1f} points."
    )


def _lime_sentence(one: Explanation) -> str:
    top = int(np.argmax(np.abs(one.values)))
    score, error = one.values[top], one.standard_errors[top]
    return (
        f'a patient like this one, but with one standard deviation more "{one.feature_names[top]}"'
        f", would score about {_points(score)} ± {100 * error:.1f} points differently, as far as "
        f"a straight line can tell: it explains {_percent(one.fidelity)} of what the model does "
        "around here. This is another question than the first, and has another answer."
    )


def _digit_sentence(one: Explanation) -> str:
    first, second = (str(name) for name in one.output_names)
    for_, against = (int(pick(one[..., 0].values)) for pick in (np.argmax, np.argmin))
    return (
        f"the ink at {one.feature_names[for_]} speaks most for {first} "
        f"({_points(one.values[for_, 0])} points, and {_points(one.values[for_, 1])} for "
        f"{second}); that at {one.feature_names[against]} speaks most against it "
        f"({_points(one.values[against, 0])} points, and {_points(one.values[against, 1])} for "
        f"{second}). Where there is no ink, none can be taken away: the score is 0."
    )


def _heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}"


def _text(text: str) -> str:
    return fill(text, _WIDTH)


def _percent(share: object) -> str:
    return f"{float(np.asarray(share).item()):.0%}"


def _points(score: float) -> str:
    return f"{100 * score:+.1f}"
