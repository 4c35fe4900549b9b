"""What a method costs around a network that costs nothing, in time and memory, at two sizes."""

from __future__ import annotations

import re
import sys

from _image_methods import Method, methods
from _image_network import NullDoor
from _image_views import sample
from _measure import Contestant, Reach, Result, race, serve
from _report import markdown

SIDES = (224, 512)
REPEATS = 3

PAIRS = (
    ("Lime", "lime, quickshift", 4.0),
    ("KernelShap", "captum KernelShap, SLIC", 4.0),
    ("OwenShap", "shap Partition, blur", 5.0),
)
"""Ours, the peer that does the like, and how many times as much that one takes at least."""

MOST_MEGABYTES = 50.0
_SMALL = 64


def contend(name: str, side: str) -> int:
    """Run in a contender's process: answer the parent until it stops asking."""
    serve(lambda: _contestant(_named(name), int(side)))
    return 0


def race_all(script: str, only: str, quick: bool, said: list[str]) -> list[Reach]:
    """Each method in a process of its own, one after the other; what is reached."""
    wanted = [m.name for m in methods()[0] if _counts(m) and re.search(only, m.name)]
    if quick:
        wanted = [name for name in wanted if name in ("perturbx Lime", "lime, quickshift")]
    found = []
    lines = {name: [name] for name in wanted}
    for side in SIDES[:1] if quick else SIDES:
        results = {}
        for name in wanted:
            command = [sys.executable, script, "--contender", name, str(side)]
            results |= race({name: command}, 1 if quick else REPEATS)
            lines[name] += _cells(results[name])
        found += _reaches(results, side)
    n_sides = (len(next(iter(lines.values()))) - 1) // 3 if lines else 0
    costs = [f"{cost}, {side}" for side in SIDES[:n_sides] for cost in ("calls", "ms", "MB")]
    said += ["## Around a network that costs nothing: CPU ms a call, MB of growth at the peak\n"]
    said += [markdown(("method", *costs), [tuple(line) for line in lines.values()]), ""]
    return found


def _counts(method: Method) -> bool:
    """Full runs alone, and one budget of each."""
    return (
        not method.name.endswith((" 150", " 500", "small stride")) and method.name != "center blob"
    )


def _named(name: str) -> Method:
    (method,) = (m for m in methods()[0] if m.name == name)
    return method


def _contestant(method: Method, side: int) -> Contestant:
    """Warmed up on a small picture before memory counts, so that imports are no part of it."""

    def explain(side: int, seed: int) -> int:
        door = NullDoor()
        method(door, sample(side), seed)
        return door.rows

    explain(_SMALL, 0)
    return Contestant(lambda: explain(side, 1))


def _cells(result: Result) -> list[str]:
    if result.skipped:
        return [result.skipped, "", ""]
    ms = result.nanoseconds / 1e6
    return [str(result.rows), f"{ms:.3f}", f"{result.megabytes:.0f}"]


def _reaches(results: dict[str, Result], side: int) -> list[Reach]:
    there = {name: r for name, r in results.items() if not r.skipped}
    found = []
    for method, peer, times in PAIRS:
        mine = there.get(f"perturbx {method}")
        if mine is not None and peer in there:
            value = there[peer].nanoseconds / mine.nanoseconds
            found.append(Reach(f"{peer}: CPU a call over {method}'s at {side}", value, least=times))
    if side == max(SIDES):
        for name, result in there.items():
            if name.startswith("perturbx"):
                claim = f"{name}: MB of growth at {side}"
                found.append(Reach(claim, result.megabytes, most=MOST_MEGABYTES))
    return found
