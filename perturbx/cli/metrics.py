"""``perturbx metrics``: how faithful the explanations of several methods are."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from perturbx._validation import did_you_mean
from perturbx.cli import from_photos, from_table
from perturbx.cli.explain import subject_of
from perturbx.cli.options import add_command, add_cost, add_model, add_run, method, names
from perturbx.cli.outputs import writable
from perturbx.cli.running import check_archive, ready
from perturbx.cli.stand_in import measuring_rows
from perturbx.cli.subject import Subject, say
from perturbx.explainers import BaseExplainer
from perturbx.metrics import (
    Comparison,
    compare,
    completeness,
    comprehensiveness,
    deletion,
    faithfulness_correlation,
    infidelity,
    insertion,
    insertion_deletion,
    max_sensitivity,
    sensitivity_n,
    stability,
    sufficiency,
)

_METRICS: dict[str, Callable[..., Any]] = {
    metric.__name__.replace("_", "-"): metric
    for metric in (
        *(deletion, insertion, insertion_deletion, comprehensiveness, sufficiency),
        *(sensitivity_n, faithfulness_correlation, infidelity, completeness),
        *(stability, max_sensitivity),
    )
}

_EXAMPLES = """\
examples:
  perturbx metrics --model model.onnx --data rows.csv --background train.csv --rows 0:50 \\
      --methods kernel-shap,lime,occlusion
  perturbx metrics --predict model:predict --data rows.csv --metrics deletion,stability \\
      --out faithfulness.csv
  perturbx metrics photos/ --model network.onnx --methods owen-shap,rise --budget 500
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    about = (
        "Compare the explanations of several methods by metrics of faithfulness, beside scores "
        "that never saw the model."
    )
    parser = add_command(commands, "metrics", run, about, _EXAMPLES, "(--data FILE | PHOTO ...)")
    from_photos.add_photos(parser)
    from_table.add_table(parser)
    add_model(parser)
    parser.add_argument(
        "--methods",
        type=_methods,
        default=["kernel-shap", "occlusion"],
        metavar="A,B",
        help="methods between commas, as in explain (default: kernel-shap,occlusion)",
    )
    parser.add_argument(
        "--metrics",
        type=_metrics,
        default=["deletion", "insertion", "sensitivity-n"],
        metavar="A,B",
        help=f"{', '.join(_METRICS)} (default: deletion,insertion,sensitivity-n)",
    )
    add_run(parser)
    group = add_cost(parser)
    group.add_argument("--out", type=_csv_path, metavar="FILE", help="write the table: .csv")


def run(chosen: argparse.Namespace) -> None:
    """Run the command."""
    check_archive(chosen)
    subject = subject_of(chosen)
    first, *others = chosen.methods
    explainers = {first: ready(first, subject, chosen)}
    chosen.outputs = explainers[first].outputs or "top1"
    explainers |= {name: ready(name, subject, chosen) for name in others}
    explainers[first].outputs = chosen.outputs
    cost = f"cost: {_cost(explainers, subject, chosen)}"
    if chosen.dry_run:
        print(cost)
        return
    say(chosen, cost)
    found = _compared(explainers, subject.X, chosen, subject.model.archive(chosen))
    print(found)
    if chosen.out is not None:
        found.to_frame().to_csv(chosen.out, index=False)
        say(chosen, f"written: {chosen.out}")


def _compared(
    explainers: Mapping[str, BaseExplainer], X: Any, chosen: argparse.Namespace, archive: Any = None
) -> Comparison:
    return compare(
        explainers,
        X,
        metrics={name: _METRICS[name] for name in chosen.metrics},
        random_state=chosen.random_state,
        batch_size=chosen.batch_size,
        archive=archive,
    )


def _cost(
    explainers: Mapping[str, BaseExplainer], subject: Subject, chosen: argparse.Namespace
) -> str:
    """What explaining costs, and about what measuring does."""
    explaining = sum(e.estimate_cost(subject.X).n_rows for e in explainers.values())
    measuring = measuring_rows(
        explainers, subject, lambda others, X: _compared(others, X, chosen)
    ) * len(subject.rows)
    told = f"{explaining:,} model rows to explain, about {measuring:,} to measure"
    if chosen.price_per_row is None:
        return told
    return f"{told}: about {(explaining + measuring) * chosen.price_per_row:,.4g}"


def _methods(text: str) -> list[str]:
    return list(dict.fromkeys(method(name) for name in names(text)))


def _metrics(text: str) -> list[str]:
    for name in names(text):
        if name not in _METRICS:
            meant = did_you_mean(name, _METRICS)
            raise argparse.ArgumentTypeError(
                f"there is no metric {name!r}{meant or ': there'}{' There' if meant else ''} are "
                f"{', '.join(_METRICS)}"
            )
    return list(dict.fromkeys(names(text)))


def _csv_path(text: str) -> Path:
    if not text.lower().endswith(".csv"):
        raise argparse.ArgumentTypeError(f"must end in .csv: got {text!r}")
    return writable(Path(text))
