"""One self-contained HTML page of an explanation."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_kind, check_list, check_number, invalid, needed, position_of
from perturbx.errors import InvalidParameterError
from perturbx.features.places import aligned
from perturbx.report.contents import (
    clean,
    contents_of,
    heading_of,
    importance_data,
    n_outputs,
    n_rows,
)
from perturbx.report.curves import Effects, drawn_effects
from perturbx.report.figures import figures_of
from perturbx.report.judged import Judged, Line, judged_lines
from perturbx.result import EffectCurves, Explanation, without_rounding
from perturbx.result.bars import Bars, bars
from perturbx.result.facts import facts
from perturbx.result.ranks import rank_ranges
from perturbx.result.templates import render
from perturbx.result.text import percent

_FEW = 20
"""Features of the first row that are shown without scripts."""

_LARGEST = 40e6
"""Bytes; a larger page takes seconds to open."""


def report(
    explanation: Any,
    X: Any = None,
    path: str | os.PathLike[str] = "report.html",
    *,
    output: int | str | None = None,
    row_names: Any = None,
    effects: EffectCurves | None = None,
    metrics: Judged = (),
    title: str | None = None,
    level: float = 0.95,
) -> Path:
    """Write an explanation as one HTML page, which needs no network and no server.

    The page shows what was asked and what it cost, then one row at a time: its prediction, the
    scores with their intervals, and in words what cannot be told apart. Rows are flipped with the
    arrow keys, outputs are switched, features searched and sorted. Many rows have a mean |score|
    of each feature and a list to choose from. Photos have an opacity slider and a threshold, texts
    are colored, and series have curves over their scores. It follows the light or dark setting of
    the reader, works with a keyboard and a screen reader, and prints.

    Parameters
    ----------
    explanation : Explanation, or an explainer
        An explainer explains `X` first.
    X : rows, optional
        What an explainer explains; None for an explanation, which has its rows.
    path : str or path
        An existing file is replaced.
    output : int, str or None
        The output that is shown first; None for the first one.
    row_names : sequence of names or numbers, optional
        One for each row, such as the index of a DataFrame, to show next to its number.
    effects : EffectCurves, optional
        Curves to show below, as ``px.Effects(model).fit(X).explain()`` returns.
    metrics : result of a metric, or a list of them
        Such as ``px.metrics.deletion(...)``, to show beside what chance reaches.
    title : str, optional
        None for one that names the model.
    level : float
        The level of the intervals.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ImportError
        Without jinja2, which ``pip install "perturbx[report]"`` installs.
    InvalidParameterError
        If there is nothing to show, if the output does not exist, or if the page would be larger
        than 40 MB or have more than 200 pictures.
    OSError
        If the file cannot be written; an existing one is left unchanged.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explanation = px.KernelShap(lambda X: X[:, 0] - X[:, 1]).fit(X).explain(X[:20])
    >>> px.report(explanation, path=folder / "report.html").name  # doctest: +SKIP
    'report.html'
    """
    needed("jinja2", "report", '"perturbx[report]"')
    check_number("level", level, above=0, below=1)
    if effects is not None:
        check_kind("effects", effects, EffectCurves, "EffectCurves, as px.Effects(...) returns")
    if title is not None:
        check_kind("title", title, str, "a str, or None")
    lines = judged_lines(metrics, level)
    target = _writable(path)
    shown = _explained(explanation, X)
    data = {
        "first": _first(shown, output),
        "rows": _row_names(row_names, n_rows(shown)),
        **contents_of(shown, level),
    }
    curves = None if effects is None else drawn_effects(effects, level)
    # Halves of surrogate pairs, as in the name of a model, have no bytes.
    page = _page(shown, data, curves, lines, title, level).encode("utf-8", "replace")
    if len(page) > _LARGEST:
        raise InvalidParameterError(
            f"The page would have {len(page) / 1e6:.0f} MB, and browsers open up to "
            f"{_LARGEST / 1e6:.0f} MB at ease: pass fewer rows or outputs, as in "
            "explanation[:1000]."
        )
    _replace(target, page)
    return target


def _explained(given: Any, X: Any) -> Explanation:
    """The explanation, checked for something to show."""
    if isinstance(given, Explanation):
        if X is not None:
            raise invalid("X", "None, since an explanation has its own rows", X)
    elif callable(explain := getattr(given, "explain", None)):
        if X is None:
            raise InvalidParameterError("An explainer needs rows: report(explainer, X).")
        given = explain(X)
    if not isinstance(given, Explanation):
        raise invalid("explanation", "an Explanation, or an explainer of rows", given)
    if "feature" not in given.axes or not len(given.feature_names):
        raise InvalidParameterError(
            f"There is nothing to show: the explanation has axes {given.axes} and "
            f"{len(given.feature_names)} features. Pass it with its features, as in explanation[0]."
        )
    if 0 in given.shape:
        raise InvalidParameterError(
            f"There is nothing to show: the scores have shape {given.shape}."
        )
    return without_rounding(given)


def _first(shown: Explanation, output: int | str | None) -> int:
    """The position of the output that is shown first."""
    if output is None:
        return 0
    names = shown.output_names if np.ndim(shown.output_names) == 1 else ()
    return position_of(output, names, n_outputs(shown), "output", InvalidParameterError)


def _row_names(names: Any, n: int) -> list[str]:
    """One for each row; none if rows have no names."""
    if names is None:
        return []
    found = check_list("row_names", names, "names")
    if len(found) != n:
        raise invalid("row_names", f"a list of {n:,} names, one for each row", names)
    return [clean(str(name), 80) for name in found]


def _writable(path: str | os.PathLike[str]) -> Path:
    """Refuse, before anything is paid, a path that cannot be written."""
    if not isinstance(path, (str, os.PathLike)):
        raise invalid("path", "a path, such as 'report.html'", path)
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path is a folder: {str(target)!r}. Add a name, as report.html.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(target.parent)!r} to write to.")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise PermissionError(f"{str(target)!r} cannot be written: choose another path=.")
    return target


def _replace(target: Path, page: bytes) -> None:
    """All of the new file, or the old one."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(page)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _page(
    shown: Explanation,
    data: dict[str, Any],
    effects: Effects | None,
    judged: list[Line],
    title: str | None,
    level: float,
) -> str:
    """The HTML."""
    together = _importance(shown)
    if together is not None:
        data["global"] = importance_data(together, level)
    script = files("perturbx.report").joinpath("templates", "page.js").read_text("utf-8")
    unit = 10.0 ** data["s"][data["first"]]  # as rounded as the script has them
    values, half = (np.array(data[key][data["first"]], dtype=np.float64) * unit for key in "vh")
    order = np.argsort(-np.abs(np.nan_to_num(values)), kind="stable")
    names, cells = data["names"][0], data["cells"][0]
    best, worst = rank_ranges(values, half)
    order = order[:_FEW]
    return render(
        "page.html",
        room="perturbx.report",
        title=clean(title or _title(shown), 200),
        facts=facts(shown),
        notes=[clean(note, 600) for note in shown.notes],
        data=data,
        names=[names[i] for i in order],
        cells=[cells[i] for i in order] if cells else [],
        bars=_bars(values[order], half[order]),
        ranks=[
            f"{a}" if a == b else f"{a}–{b}" for a, b in zip(best[order], worst[order], strict=True)
        ],
        heading=heading_of(shown),
        interval=f"{percent(level)} interval",
        level=percent(level),
        figures=figures_of(shown),
        effects=effects,
        judged=judged,
        provenance=_flat(shown.provenance),
        has_global=together is not None,
        script=script,
        digest=b64encode(sha256(script.encode()).digest()).decode(),
    )


def _importance(shown: Explanation) -> Any:
    """Mean sizes, where several rows have the same features and outputs."""
    if shown.axes[:2] != ("instance", "feature") or len(shown) < 2:
        return None
    has_own = isinstance(shown.regions, tuple) and not aligned(shown.regions)
    if has_own or np.ndim(shown.output_names) == 2:
        return None
    return shown.importance()


def _bars(values: Floats, half: Floats) -> Bars:
    column = values[:, None], (values - half)[:, None], (values + half)[:, None]
    return bars(*column, is_size=False)


def _title(shown: Explanation) -> str:
    model = shown.provenance.get("model")
    return f"{shown.method_name} of {model}" if model else shown.method_name or "Explanation"


def _flat(provenance: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Provenance as lines."""
    found: list[tuple[str, str]] = []
    for name, value in provenance.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            found += _flat(value, f"{label}: ")
        elif value is not None:
            found.append((label, clean(str(value), 300)))
    return found
