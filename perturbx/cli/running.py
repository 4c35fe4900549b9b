"""A run: the model is asked once, the cost is told, and only then the budget is spent."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perturbx._validation import top_of
from perturbx.cli.options import METHODS, outputs_of
from perturbx.cli.outputs import check_formats, write
from perturbx.cli.subject import Subject, say
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer, CostEstimate
from perturbx.result import Explanation, concat, load

_ROWS_PER_PART = 100

_MOST_PICTURES = 200

_FEW_OUTPUTS = 10
"""With more outputs than this, the largest is explained."""


def check_run(chosen: argparse.Namespace) -> None:
    """Refuse what can be refused before anything is read."""
    check_formats(chosen.out)
    check_archive(chosen)


def check_archive(chosen: argparse.Namespace) -> None:
    """Refuse an archive in a folder that does not exist."""
    folder: Path | None = None if chosen.archive is None else chosen.archive.parent
    if folder is not None and not folder.is_dir():
        raise InvalidParameterError(f"--archive: there is no folder {str(folder)!r}.")


def ready(
    name: str | None, subject: Subject, chosen: argparse.Namespace, **settings: Any
) -> BaseExplainer:
    """An explainer whose model has answered the first rows, with its outputs chosen."""
    kind = METHODS[name or ("owen-shap" if subject.of_photos else "kernel-shap")]
    explainer = kind(
        subject.model.predict_fn,
        budget=chosen.budget,
        output_names=subject.output_names,
        random_state=chosen.random_state,
        n_jobs=chosen.n_jobs,
        batch_size=chosen.batch_size,
        max_memory=chosen.max_memory,
        retries=chosen.retries,
        timeout=chosen.timeout,
        archive=subject.model.archive(chosen),
        verbose=int(not chosen.quiet and sys.stderr.isatty()),
        **settings,
    )
    explainer.fit(subject.background)
    _choose_outputs(explainer, subject, chosen)
    return explainer


def _choose_outputs(explainer: Any, subject: Subject, chosen: argparse.Namespace) -> None:
    predictor = explainer.predictor_
    known: tuple[str, ...] = predictor.output_names
    if chosen.outputs is not None:
        is_read = isinstance(chosen.outputs, str)
        explainer.outputs = chosen.outputs if is_read else outputs_of(chosen.outputs, known)
    elif predictor.is_complementary:
        explainer.outputs = known[1]
        say(chosen, f"note: the output is {known[1]!r}; the other is {known[0]!r} (--output).")
    elif predictor.n_outputs > (1 if subject.of_photos else _FEW_OUTPUTS):
        explainer.outputs = "top1"


def explained(subject: Subject, chosen: argparse.Namespace, **settings: Any) -> None:
    """Explain, write the files, and print."""
    explainer = ready(chosen.method, subject, chosen, **settings)
    _check_pages(explainer, subject, chosen)
    chunks = [subject.X] if chosen.parts is None else _chunks(subject.X)
    costs = [explainer.estimate_cost(X, price_per_row=chosen.price_per_row) for X in chunks]
    cost = f"cost: {total(costs)}"
    if chosen.dry_run:
        print(cost)
        return
    say(chosen, cost)
    if chosen.parts is None:
        explanation = explainer.explain(subject.X)
    else:
        explanation = concat([load(path) for path in explainer.explain_to(chosen.parts, chunks)])
        say(chosen, f"written: {len(chunks)} files in {chosen.parts}")
    for path in chosen.out:
        write(explanation, subject.rows, path)
        say(chosen, f"written: {path}")
    print(shown(explanation, subject))


def _check_pages(explainer: Any, subject: Subject, chosen: argparse.Namespace) -> None:
    """Refuse pages of more pictures than a browser shows at ease."""
    outputs, n_outputs = explainer.outputs, explainer.predictor_.n_outputs
    k = top_of(outputs) or (len(outputs) if isinstance(outputs, list) else 1)
    pictures = len(subject.rows) * (n_outputs if outputs is None else k)
    if subject.of_photos and pictures > _MOST_PICTURES:
        for path in chosen.out:
            if path.suffix.lower() == ".html":
                raise InvalidParameterError(
                    f"{path} would have {pictures:,} pictures, and a page has at most "
                    f"{_MOST_PICTURES}: pass fewer photos or outputs, or another format."
                )


def _chunks(X: Any) -> list[Any]:
    """The rows in parts that are written one by one."""
    starts = range(0, len(X), _ROWS_PER_PART)
    return [X[start : start + _ROWS_PER_PART] for start in starts]


def total(costs: Sequence[CostEstimate]) -> CostEstimate:
    """Rows, calls and money; a call of one row does not tell the time of one with thousands."""
    prices = [cost.price for cost in costs if cost.price is not None]
    return CostEstimate(
        sum(cost.n_rows for cost in costs),
        sum(cost.n_calls for cost in costs),
        price=sum(prices) if prices else None,
        may_stop_earlier=any(cost.may_stop_earlier for cost in costs),
    )


def shown(explanation: Explanation, subject: Subject) -> str:
    """The explanation as text: a single one in full."""
    if len(explanation) > 1:
        return repr(explanation)
    return (
        f"{subject.rows[0]}\n{explanation[0]!r}"
        if isinstance(subject.rows[0], str)
        else repr(explanation[0])
    )
