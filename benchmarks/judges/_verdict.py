"""One line of the table: a figure of somebody else's suite, for ours and for every peer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.report import markdown

RESAMPLES = 2000


@dataclass(frozen=True)
class Verdict:
    """What one suite says of several methods.

    Parameters
    ----------
    judge : str
        The suite, with its version.
    figure : str
        What it measures, and on what.
    better : "lower" or "higher"
    figures : dict of str to list of float
        For each method one figure per case; cases are the same for all, NaN where it failed.
    note : str
        What a reader must know, such as why a suite did not run.
    """

    judge: str
    figure: str
    better: str
    figures: dict[str, list[float]]
    note: str = ""

    @property
    def suite(self) -> str:
        """The judge without its version."""
        return self.judge.partition(" ")[0]

    @property
    def key(self) -> tuple[str, str]:
        """What a later run of the same suite replaces."""
        return self.suite, self.figure

    def cells(self) -> tuple[str, ...]:
        """Mean of our best method and of the best peer, and their paired difference."""
        if not self.figures:
            return self.judge, self.figure, "", "", "", self.note
        ours, mean = self._best(name for name in self.figures if is_ours(name))
        peer, peers = self._best(name for name in self.figures if not is_ours(name))
        if np.isnan(list(self.figures.values())).all():
            return self.judge, self.figure, "", "", "", "failed for every method"
        failed = [
            f"{name} failed in {np.isnan(values).sum()} of {len(values)}"
            for name, values in self.figures.items()
            if np.isnan(values).any()
        ]
        notes = "; ".join(filter(None, [self.note, *failed]))
        if not (ours and peer):
            return self.judge, f"{self.figure} ({self.better} is better)", mean, peers, "", notes
        gain = np.subtract(self.figures[ours], self.figures[peer])
        low, middle, high = interval(gain[np.isfinite(gain)])
        winner = "open" if low <= 0 <= high else "ours" if self._is_gain(middle) else "peer"
        lead = f"{middle:+.2g} [{low:+.2g}, {high:+.2g}]: {winner}"
        figure = f"{self.figure} ({self.better} is better)"
        return self.judge, figure, f"{mean} ({ours})", f"{peers} ({peer})", lead, notes

    def _is_gain(self, difference: float) -> bool:
        return (difference < 0) == (self.better == "lower")

    def _best(self, names: Iterable[str]) -> tuple[str, str]:
        """The method with the best mean, and the mean; empty where there is none."""
        sign = 1 if self.better == "lower" else -1
        known = {name: np.array(self.figures[name]) for name in names}
        means = {name: float(np.nanmean(x)) for name, x in known.items() if np.isfinite(x).any()}
        if not means:
            return "", ""
        best = min(means, key=lambda name: sign * means[name])
        return best, f"{means[best]:.3g}"


def is_ours(name: str) -> bool:
    """Whether a method is one of perturbx."""
    return name.startswith("px.")


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """A 95% bootstrap interval over cases, with the mean in the middle."""
    if not len(values):
        return (np.nan,) * 3
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(values.mean()), float(high)


def named(package: str) -> str:
    """A package with its version, as in "shap 0.51.0"; the bare name where it is missing."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def keep(path: Path, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Add verdicts to a file, so that another interpreter may add its own; all of them."""
    known = [Verdict(**one) for one in json.loads(path.read_text())] if path.exists() else []
    fresh = {one.key for one in verdicts}
    together = [*(one for one in known if one.key not in fresh), *verdicts]
    ran = {one.suite for one in together if one.figures}
    together = [one for one in together if one.figures or one.suite not in ran]
    path.write_text(json.dumps([asdict(one) for one in together]))
    return together


def table(verdicts: Iterable[Verdict]) -> str:
    """All lines as a Markdown table."""
    head = ("judge", "figure", "ours", "best peer", "ours less best peer, 95% interval", "notes")
    return markdown(head, [one.cells() for one in verdicts])
