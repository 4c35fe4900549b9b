"""The demo on real data: two models, a patient and a digit, and an explanation of each."""

from __future__ import annotations

import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from perturbx._demo.cases import explain_digit, explain_patient
from perturbx._demo.picture import draw
from perturbx._demo.report import digit_report, finish, patient_report


def demo(out: Path, seed: int = 0) -> None:
    """Train, explain, print the tables, and draw the picture if matplotlib is installed.

    Parameters
    ----------
    out : Path
        The file of the picture; its suffix sets the format.
    seed : int
        Fixes the models, the patient, the digit and every number.
    """
    start = time.perf_counter()
    # Matrices this small are slower on several threads, much slower on a busy machine.
    with threadpool_limits(1):
        patient = explain_patient(seed)
        print(patient_report(patient), flush=True)
        digit = explain_digit(seed)
        print(digit_report(digit), flush=True)
    finish(lambda: draw(patient, digit, out), out, start)
