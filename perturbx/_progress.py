"""How far a run has come, for those who wait for it."""

from __future__ import annotations

from typing import Any


def progress_bar(n_rows: int) -> Any:
    """A progress bar over `n_rows` model rows."""
    from tqdm.auto import tqdm

    return tqdm(unit=" rows", unit_scale=True, desc="model", total=n_rows)
