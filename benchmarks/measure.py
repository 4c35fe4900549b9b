"""How the benchmarks measure: one process per contender, turns, ratios with intervals, tables.

Every contender runs in its own process, so that memory can be measured. All processes live at
once and take turns, so that a machine that slows down slows all of them down. Time is the CPU time
of the process: other work on the machine does not count, but it disturbs the caches, so the
smallest of several turns is the figure to trust.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.report import markdown

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}
_RESAMPLES = 2000
_HEAVY, _EVERY = 2.5, 3
"""Contenders that take this many times as long as the first join every third round only."""


# ---------------------------------------------------------------- in a contender's process


class Model(Protocol):
    """A model that counts the rows it has been asked for."""

    rows: int


def counted(model: Model, work: Callable[[], Any]) -> Callable[[], int]:
    """Work that returns how many rows it asked the model for."""

    def turn() -> int:
        before = model.rows
        work()
        return model.rows - before

    return turn


@dataclass(frozen=True)
class Contestant:
    """The work of a contender's process.

    `turn` does the work once and returns the model rows that it asked for; `warm_up` does a
    little of it, so that no turn pays for imports; `version` names the library; `figures` are
    asked for after a turn, off the clock.
    """

    turn: Callable[[], int]
    warm_up: Callable[[], Any] = lambda: None
    version: str = ""
    figures: Callable[[], dict[str, float]] = dict


def serve(build: Callable[[], Contestant]) -> None:
    """Answer the parent, one line of JSON per turn, until it stops asking.

    Memory counts from the moment at which imports and inputs are there.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not reach the parent

    def say(**fields: Any) -> None:
        print(json.dumps(fields), file=channel, flush=True)

    try:
        contestant = build()
    except ImportError as error:
        say(skipped=f"not installed: {error.name or error}")
        return
    before = peak()
    contestant.warm_up()
    say(version=contestant.version)
    for _ in sys.stdin:
        start = time.process_time()
        rows = contestant.turn()
        cpu, megabytes = time.process_time() - start, peak() - before
        say(cpu=cpu, rows=rows, megabytes=megabytes, figures=contestant.figures())


def peak() -> float:
    """The most memory that this process ever held, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def resident() -> float:
    """The memory that this process holds now, in MB; where that is unknown, the most it held."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return peak()
    return int(pages) * resource.getpagesize() / 2**20


def one_thread() -> dict[str, str]:
    """The environment of a process whose libraries use one thread."""
    return {**os.environ, **_ONE_THREAD}


# ---------------------------------------------------------------- in the parent


@dataclass
class Result:
    """The costs of a contender: CPU seconds by round, rows per turn, peak memory over import.

    `figures` are those of its last turn.
    """

    name: str
    cpu: dict[int, float] = field(default_factory=dict)
    rows: int = 0
    megabytes: float = 0.0
    version: str = ""
    skipped: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The contender's name, with the version of its library if it is another one."""
        return f"{self.name} ({self.version})" if self.version else self.name

    @property
    def nanoseconds(self) -> float:
        """CPU time per model row, in the best turn."""
        return 1e9 * min(self.cpu.values()) / self.rows


class _Process:
    """A contender's process, as the parent sees it."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.result = Result(name)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=one_thread(),
        )
        self._read(0)

    def take_turn(self, turn: int) -> None:
        if not self.result.skipped:
            assert self._process.stdin is not None
            print("turn", file=self._process.stdin, flush=True)
            self._read(turn)

    def stop(self) -> None:
        self._process.communicate()

    def _read(self, turn: int) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            raise RuntimeError(f"{self.result.name} failed:\n{said[-2000:]}")
        answer = json.loads(line)
        self.result.version = answer.get("version", self.result.version)
        self.result.skipped = answer.get("skipped", "")
        if "cpu" in answer:
            self.result.cpu[turn] = answer["cpu"]
            self.result.rows = answer["rows"]
            self.result.megabytes = answer["megabytes"]
            self.result.figures = answer["figures"]


def race(commands: dict[str, Sequence[str]], repeats: int) -> dict[str, Result]:
    """Let contenders, given as the commands of their processes, take turns."""
    processes = [_Process(name, command) for name, command in commands.items()]
    try:
        for turn in range(repeats):
            for process in processes:
                if turn % _EVERY == 0 or not _is_heavy(process.result, processes[0].result):
                    process.take_turn(turn)
    finally:
        for process in processes:
            process.stop()
    return {process.result.name: process.result for process in processes}


def _is_heavy(result: Result, first: Result) -> bool:
    return bool(result.cpu) and result.cpu[0] > _HEAVY * first.cpu[0]


@dataclass(frozen=True)
class Ratio:
    """A ratio of costs per model row, with a 95% bootstrap interval over the paired turns."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(result: Result, reference: Result) -> Ratio:
    """The smallest CPU time per row of one contender over that of another, in common rounds."""
    rounds = sorted(result.cpu.keys() & reference.cpu.keys())
    mine = np.array([result.cpu[r] for r in rounds]) / result.rows
    other = np.array([reference.cpu[r] for r in rounds]) / reference.rows
    turns = np.random.default_rng(0).integers(0, len(mine), (_RESAMPLES, len(mine)))
    drawn = mine[turns].min(axis=1) / other[turns].min(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Ratio(float(mine.min() / other.min()), float(low), float(high))


def table(results: Sequence[Result], reference: Result) -> str:
    """A Markdown table of results, next to their reference."""
    lines = []
    for result in results:
        if result.skipped:
            lines.append((result.label, result.skipped, "", "", "", ""))
            continue
        times = list(result.cpu.values())
        lines.append(
            (
                result.label,
                f"{min(times):.2f}",
                f"{np.median(times):.2f}",
                str(ratio(result, reference)),
                f"{result.nanoseconds:.1f}",
                f"{result.megabytes:.0f}",
            )
        )
    costs = ("CPU s: best", "median", f"× {reference.name}", "ns / row", "MB over import")
    return markdown(("contender", *costs), lines)
