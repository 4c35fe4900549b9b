"""What `import perturbx` costs, as a multiple of `import sklearn.base`.

    python benchmarks/import_cost.py [--quick]

Each import runs in a fresh interpreter, the two in turn; a pair's ratio is that of the processor
time of the whole process less that of an interpreter that imports nothing. The median over pairs
is printed, as it is robust against whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

NOTHING, PEER, OURS = "pass", "import sklearn.base", "import perturbx"
LIMIT = 1.2


def processor_seconds(statement: str) -> float:
    """User and system time of an interpreter that runs `statement`."""
    # Installed packages come with bytecode; ours must be allowed to have it, too.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 pairs instead of 21")
    pairs = 5 if parser.parse_args().quick else 21
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
    ratio = statistics.median(ratios)
    print(f"ratio {ratio:.3f} (median of {pairs} pairs); at most {LIMIT} is wanted")


if __name__ == "__main__":
    main()
