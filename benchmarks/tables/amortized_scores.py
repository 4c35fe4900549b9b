"""How close do learned Shapley values come to exact ones, and how much faster are they?

    python -m benchmarks.tables.amortized_scores [--quick] [--check] [--data FOLDER]

`AmortizedShap` learns from training rows, and explains rows that neither it nor the model saw. The
truth is interventional TreeSHAP with the same background rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

BACKGROUND, JUDGED, FAST, SLOW, RESAMPLES = 100, 150, 20_000, 3, 2000
LEAST_R2, LEAST_SPEED, LEAST_COVERAGE = 0.95, 1000, 0.93


@dataclass(frozen=True)
class Case:
    """A model of one probability, rows to learn from, and others to explain."""

    name: str
    model: Any
    X: Values
    test: Values
    max_rows: int

    def predict(self, X: Values) -> Values:
        return np.asarray(self.model.predict_proba(X)[:, 1])

    def truth(self) -> tuple[Values, Values]:
        """(n, d) exact values of the first test rows, and the background rows."""
        import shap

        background = self.X[:BACKGROUND]
        masker = shap.maskers.Independent(background, max_samples=BACKGROUND)
        explainer = shap.TreeExplainer(self.model, masker, model_output="probability")
        values = np.asarray(explainer.shap_values(self.test[:JUDGED], check_additivity=False))
        return (values[..., 1] if values.ndim == 3 else values), background


def cancer(quick: bool) -> Case:
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y, n = X[order], y[order], 419
    model = RandomForestClassifier(50, random_state=0).fit(X[:n], y[:n])
    return Case("breast cancer, forest", model, X[:n], X[n:], 200 if quick else n)


def adult(folder: Path, quick: bool) -> Case:
    frame = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
    y = (frame.pop(14) == ">50K").to_numpy() * 1
    frame = frame.drop(columns=[2, 3])
    for name in frame.select_dtypes(exclude="number"):
        frame[name] = frame[name].astype("category").cat.codes
    order = np.random.default_rng(0).permutation(len(frame))
    X, y, n = frame.to_numpy(float)[order], y[order], 8000
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(X[:n], y[:n])
    return Case("adult, boosting", model, X[:n], X[n:], 1000 if quick else 4000)


def cpu(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def with_interval(ours: Values, truth: Values) -> tuple[float, float, float]:
    """R2 over all features, with a 95% bootstrap interval over rows."""
    left = ((ours - truth) ** 2).sum(axis=1)
    whole = ((truth - truth.mean(axis=0)) ** 2).sum(axis=1)
    draws = np.random.default_rng(0).integers(len(left), size=(RESAMPLES, len(left)))
    low, high = np.quantile(1 - left[draws].sum(axis=1) / whole[draws].sum(axis=1), [0.025, 0.975])
    return float(1 - left.sum() / whole.sum()), float(low), float(high)


def shown(case: Case) -> list[Target]:
    """Print one line of the table, and return its targets."""
    truth, background = case.truth()
    settings: dict[str, Any] = {"masker": px.Background(background), "random_state": 0}
    learner = px.AmortizedShap(case.predict, max_rows=case.max_rows, **settings)
    learner, taught = cpu(lambda: learner.fit(case.X))
    found = learner.explain(case.test[:JUDGED])
    r2, low, high = with_interval(found.values, truth)
    lower, upper = found.interval()
    covered = float(((lower <= truth) & (truth <= upper)).mean())
    judged = learner.learned_.judged
    many = np.resize(case.test, (FAST, case.test.shape[1]))
    fast, seconds = cpu(lambda: learner.set_params(fallback=False).explain(many))
    kernel = px.KernelShap(case.predict, **settings).fit(case.X)
    slow = np.median([cpu(lambda i=i: kernel.explain(case.test[[i]]))[1] for i in range(SLOW)])
    speed = slow / (seconds / len(fast))
    far = sum("fresh" in note for note in found.notes)
    print(
        line(
            (
                case.name,
                f"{r2:.3f} [{low:.3f}, {high:.3f}]",
                f"{judged.r2[0]:.3f} [{judged.low[0]:.3f}, {judged.high[0]:.3f}]",
                f"{covered:.3f}",
                f"{learner.learned_.cost.n_rows:,}",
                f"{taught:.0f}",
                f"{1e6 * seconds / len(fast):.0f}",
                f"{1e3 * slow:.0f}",
                f"{speed:,.0f}",
                f"{found.n_rows - JUDGED:,}" if far else "0",
            )
        ),
        flush=True,
    )
    return [
        Target(f"{case.name}, R2", r2, least=LEAST_R2),
        Target(f"{case.name}, coverage of 95% intervals", covered, least=LEAST_COVERAGE),
        Target(f"{case.name}, times as fast as KernelShap", float(speed), least=LEAST_SPEED),
    ]


def main() -> int:
    made = parser(quick="fewer rows to learn from, half a minute")
    made.add_argument("--data", type=Path, help="a folder with adult.data")
    asked = made.parse_args()
    if find_spec("shap") is None:
        print("shap is not installed: pip install shap")
        return 0
    cases = [cancer(asked.quick), *([adult(asked.data, asked.quick)] if asked.data else [])]
    costs = "model rows of fit", "CPU s of fit", "µs / row", "KernelShap, ms / row", "speed"
    scores = "R2 of exact values", "held-out R2 as reported", "coverage of 95%"
    print(head(["data, model", *scores, *costs, "rows for fresh values"]))
    targets = [target for case in cases for target in shown(case)]
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
