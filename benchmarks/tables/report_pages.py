"""What does a page of an explanation hold, and what does it take, next to other libraries' pages?

    python -m benchmarks.tables.report_pages [--quick] [--check] [--out FOLDER]

A random forest on the breast cancer data, 200 rows, 30 features. Each library writes its page:
`px.report` of all rows with effect curves and one metric, effector's `explain(...).to_html`, and
explainerdashboard's `save_html`, as far as they are installed. Counted in each file: its size, the
addresses that a browser would load, and the figures that come with an interval. Seconds are those
of this process for everything from the fitted model to the file.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line

ROWS, QUICK_ROWS = 200, 20
SMALL_ROWS, SMALL_MOST, MANY_ROWS = 20, 300, 10_000

Writer = Callable[[Any, Any, Any, Path], None]


def ours(model: Any, X: Any, y: Any, path: Path) -> None:
    explainer = px.KernelShap(model, outputs=1, budget=2000, random_state=0).fit(X)
    explanation = explainer.explain(X)
    effects = px.Effects(model, outputs=1, random_state=0).fit(X).explain()
    masker = explainer.masker_
    judged = px.metrics.deletion(model, X[:20], explanation[:20], masker=masker, random_state=0)
    px.report(explanation, path=path, effects=effects, metrics=judged)


def of_effector(model: Any, X: Any, y: Any, path: Path) -> None:
    import effector

    def predict(rows: np.ndarray) -> np.ndarray:
        return model.predict_proba(np.asarray(rows))[:, 1]

    effector.explain(X.to_numpy(), predict, method="ale").to_html(str(path))


def of_explainerdashboard(model: Any, X: Any, y: Any, path: Path) -> None:
    from explainerdashboard import ClassifierExplainer, ExplainerDashboard

    explainer = ClassifierExplainer(model, X, y)
    ExplainerDashboard(explainer, shap_interaction=False, decision_trees=False).save_html(str(path))


WRITERS: dict[str, Writer] = {
    "perturbx": ours,
    "effector": of_effector,
    "explainerdashboard": of_explainerdashboard,
}


def loaded(page: str) -> int:
    """Addresses of other files that a browser asks for."""
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    return sum(bool(re.search(r"(?:src|href)=[\"']?(?:https?:)?//", tag)) for tag in tags)


def with_intervals(page: str) -> int:
    """Figures that have an interval, a standard error or an error bar.

    On a page of ours, whose figures are data, the scores and mean sizes whose interval is known,
    and the points of curves; on any other each "a ± b" and "[a, b]" of its text, whatever they
    mean, and each error bar of plotly. What is drawn in pictures alone is not counted.
    """
    found = re.search(r'id="data">(.*?)</script>', page, flags=re.DOTALL)
    if found:
        data = json.loads(found.group(1))
        scores = sum(half is not None for row in data["h"] for half in row)
        sizes = sum(len(column) for column in data.get("global", {}).get("a", []))
        points = sum(
            len(p.split()) // 2 for p in re.findall(r'class="band" points="([^"]*)"', page)
        )
        return scores + sizes + points
    bars = len(re.findall(r'"error_[xy]"', page))
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    number = r"[-\u2212+]?\d[\d.e+-]*"
    pairs = re.findall(rf"\[{number}, ?{number}\]", text)
    return len(pairs) + text.count("±") + text.count("&plusmn;") + bars


def measured(name: str, model: Any, X: Any, y: Any, folder: Path) -> list[str]:
    """The line of a library, or why it has none."""
    path = folder / f"{name}.html"
    start = time.perf_counter(), time.process_time()
    WRITERS[name](model, X, y, path)
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    page = path.read_text(encoding="utf-8")
    has_error = re.search(r"confidence interval|standard error|95% interval", page, flags=re.I)
    return [
        f"{name} {px.__version__ if name == 'perturbx' else version(name)}",
        f"{wall:.1f}",
        f"{processor:.1f}",
        f"{path.stat().st_size / 1000:.0f}",
        f"{loaded(page)}",
        f"{with_intervals(page):,}",
        "yes" if has_error else "no",
    ]


def sizes(folder: Path, quick: bool) -> list[Target]:
    """The size of a small and of a large page of 30 features."""
    X = np.random.default_rng(0).normal(size=(1000 if quick else MANY_ROWS, 30))
    weights = np.random.default_rng(1).normal(size=30)
    explainer = px.KernelShap(lambda X: X @ weights + X[:, 0] * X[:, 1], budget=200, random_state=0)
    explanation = explainer.fit(X[:100]).explain(X)
    small = px.report(explanation[:SMALL_ROWS], path=folder / "small.html")
    start = time.perf_counter()
    large = px.report(explanation, path=folder / "large.html")
    seconds = time.perf_counter() - start
    kilobytes = small.stat().st_size / 1000
    print(
        f"\n{SMALL_ROWS} rows of 30 features: {kilobytes:.0f} KB; {len(X):,} rows: "
        f"{large.stat().st_size / 1e6:.1f} MB, written in {seconds:.1f} s"
    )
    return [Target(f"KB of {SMALL_ROWS} rows of 30 features", kilobytes, most=SMALL_MOST)]


def main() -> int:
    made = parser(quick=f"{QUICK_ROWS} rows instead of {ROWS}")
    made.add_argument("--out", type=Path, help="keep the pages in this folder")
    chosen = made.parse_args()
    rows = QUICK_ROWS if chosen.quick else ROWS
    data = load_breast_cancer(as_frame=True)
    X = data.data.rename(columns=lambda name: name.replace(" ", "_"))
    model = RandomForestClassifier(60, random_state=0).fit(X, data.target)
    columns = "page", "seconds", "of CPU", "KB", "loads", "figures with intervals", "in words"
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.out or Path(scratch)
        folder.mkdir(exist_ok=True, parents=True)
        print(head(columns))
        for name in filter(find_spec, WRITERS):
            print(line(measured(name, model, X[:rows], data.target[:rows], folder)), flush=True)
        targets = sizes(folder, chosen.quick)
    for target in targets:
        print(target)
    return status(chosen.check, targets)


if __name__ == "__main__":
    sys.exit(main())
