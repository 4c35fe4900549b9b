"""Where an explanation is written: checked before it is computed, in a format by its ending."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._validation import needed
from perturbx.errors import PerturbxError
from perturbx.features import Regions, Spans
from perturbx.report import report
from perturbx.result import Explanation


def out_path(text: str) -> Path:
    """A file that can be written, in a known format."""
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(ENDINGS)}: got {text!r}")
    return writable(path)


def writable(path: Path) -> Path:
    """A path at which a file can be written, found out without changing what is there."""
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"a folder, not a file: {str(path)!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}: make it first")
    try:
        if path.exists():
            os.close(os.open(path, os.O_WRONLY))
        else:
            tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        why = error.strerror or error
        raise argparse.ArgumentTypeError(f"cannot write {str(path)!r}: {why}") from error
    return path


def parts_folder(text: str) -> Path:
    """A folder for parts, or a place where it can be made."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"a file, not a folder: {text!r}")
    writable(path / "part.npz" if path.is_dir() else path)
    return path


def check_formats(paths: Sequence[Path]) -> None:
    """Refuse a format whose library is missing.

    Raises
    ------
    ImportError
    """
    for path in paths:
        if path.suffix.lower() in _NEEDS:
            needed(_NEEDS[path.suffix.lower()], f"a {path.suffix} file", '"perturbx[cli]"')


def write(explanation: Explanation, rows: Sequence[Any], path: Path) -> None:
    """Write an explanation of `rows`, the names or positions of its instances.

    Raises
    ------
    OSError
        If it cannot be written; it has been paid for, and is then in a .npz file if possible.
    """
    try:
        ENDINGS[path.suffix.lower()](explanation, rows, path)
    except (OSError, PerturbxError) as error:
        spare = path.with_name(f"{path.stem}.rescued.npz")
        kept = f"; the explanation is in {spare}"
        try:
            explanation.save(spare)
        except (OSError, PerturbxError):
            kept = ""
        raise OSError(f"cannot write {path}: {error}{kept}") from error


def _html(explanation: Explanation, rows: Sequence[Any], path: Path) -> None:
    report(explanation, path=path, row_names=rows)


def _csv(explanation: Explanation, rows: Sequence[Any], path: Path) -> None:
    frame = explanation.to_frame()
    frame["instance"] = np.array(rows, dtype=object)[frame["instance"]]
    frame.to_csv(path, index=False)


def _saved(explanation: Explanation, rows: Sequence[Any], path: Path) -> None:
    explanation.save(path)


def _lines(explanation: Explanation, rows: Sequence[Any], path: Path) -> None:
    """A JSON object per line, for each row and output."""
    with path.open("w", encoding="utf-8") as file:
        for row, one in zip(rows, explanation, strict=True):
            several = "output" in one.axes
            for j in range(one.shape[-1] if several else 1):
                line = _line(one[..., j] if several else one)
                file.write(json.dumps({"row": row, **line}, allow_nan=False) + "\n")


def _line(one: Explanation) -> dict[str, Any]:
    lower, upper = one.interval()
    features = [
        {
            "feature": str(name),
            **where,
            "score": _plain(score),
            "standard_error": _plain(error),
            "lower": _plain(low),
            "upper": _plain(high),
        }
        for name, where, score, error, low, high in zip(
            one.feature_names,
            _places(one),
            one.values,
            one.standard_errors,
            lower,
            upper,
            strict=False,  # a smaller photo of a batch has fewer regions
        )
        if not np.isnan(score)
    ]
    return {
        "output": str(np.ravel(np.asarray(one.output_names, dtype=object))[0]),
        "prediction": _plain(one.predictions),
        "base_value": _plain(one.base_values),
        "method": one.method,
        "n_rows": one.n_rows,
        "notes": list(one.notes),
        "features": features,
    }


def _places(one: Explanation) -> Iterator[dict[str, Any]]:
    """The value of each column, the characters of each piece, or the box around each region.

    A box is [top, left, bottom, right], of which the last two are outside.
    """
    if isinstance(one.regions, Spans):
        for start, stop in zip(one.regions.starts, one.regions.stops, strict=True):
            yield {"value": one.data[start:stop], "start": int(start), "stop": int(stop)}
    elif isinstance(one.regions, Regions):
        for feature in range(len(one.regions)):
            sides = np.nonzero(one.regions.cover(feature))
            ends = [int(end) for pick in (np.min, np.max) for end in map(pick, sides)]
            yield {"box": ends}
    else:
        for value in one.data:
            yield {"value": _plain(value)}


def _plain(value: Any) -> Any:
    """A cell as JSON has it: NaN and missing are null."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.item()
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value)


_NEEDS = {".csv": "pandas", ".html": "jinja2"}
"""The library that a format needs."""

ENDINGS: dict[str, Callable[[Explanation, Sequence[Any], Path], None]] = {
    ".html": _html,
    ".csv": _csv,
    ".json": _saved,
    ".jsonl": _lines,
    ".npz": _saved,
}
"""The formats, and what writes them."""
