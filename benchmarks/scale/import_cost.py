"""How long does `import perturbx` take, compared with `import sklearn.base`?

    python -m benchmarks.scale.import_cost [--quick] [--check]

Each import runs in a fresh interpreter, the two in turns. The ratio is that of the CPU times of the
whole processes, less that of an interpreter that imports nothing. The median over pairs is
printed, since it is robust against other work on the machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.command import parser, status
from benchmarks.report import Target

NOTHING, PEER, OURS = "pass", "import sklearn.base", "import perturbx"
LIMIT = 1.2


def processor_seconds(statement: str) -> float:
    """User and system time of an interpreter that runs `statement`."""
    # Installed packages come with bytecode, so ours may have it too.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def main() -> int:
    chosen = parser(quick="5 pairs instead of 21").parse_args()
    pairs = 5 if chosen.quick else 21
    for statement in (NOTHING, PEER, OURS):  # fills the file cache, writes bytecode
        processor_seconds(statement)
    times = {s: [] for s in (NOTHING, PEER, OURS)}
    for _ in range(pairs):
        for statement, seconds in times.items():
            seconds.append(processor_seconds(statement))
    idle = statistics.median(times[NOTHING])
    ratios = [(b - idle) / (a - idle) for a, b in zip(times[PEER], times[OURS], strict=True)]
    for statement in (PEER, OURS):
        seconds = [t - idle for t in times[statement]]
        print(
            f"{statement:20}  median {1e3 * statistics.median(seconds):6.0f} ms, "
            f"least {1e3 * min(seconds):6.0f} ms"
        )
    claim = f"import perturbx over import sklearn.base, median of {pairs} pairs"
    target = Target(claim, statistics.median(ratios), most=LIMIT)
    print(target)
    return status(chosen.check, [target])


if __name__ == "__main__":
    sys.exit(main())
