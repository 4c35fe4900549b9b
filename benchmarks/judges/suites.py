"""What do the benchmarks, metrics and oracles of other libraries say of our scores?

    python -m benchmarks.judges.suites [--quick] [--check] [--data FOLDER] [--out FOLDER]
        [--only PATTERN] [--page FILE]

Suites run unedited, with the versions that `make judges` pins; what fails or is missing is a line
too. Results are kept in the folder, so that another Python adds the suites that need it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.command import parser
from benchmarks.judges._captum import of_captum
from benchmarks.judges._photos import of_quantus
from benchmarks.judges._shapiq import of_shapiq
from benchmarks.judges._tables import of_exact_values, of_shap
from benchmarks.judges._verdict import Verdict, keep, table

START, END = "<!-- table -->", "<!-- end of table -->"


def main() -> int:
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    suites: dict[str, Callable[[bool], Iterator[Verdict]]] = {
        "shap": of_shap,
        "exact values": of_exact_values,
        "captum": of_captum,
        "quantus": partial(of_quantus, folder=chosen.out, photos=chosen.data),
        "shapiq": of_shapiq,
    }
    kept = chosen.out / f"judges{'-quick' * chosen.quick}.json"
    together: list[Verdict] = []
    for name, suite in suites.items():
        if not re.search(chosen.only, name):
            continue
        start = time.perf_counter()
        together = keep(kept, list(suite(chosen.quick)))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(table(together))
    if chosen.page:
        write(chosen.page, table(together))
    return 0


def write(page: Path, text: str) -> None:
    """Put the table between its marks on a page, in the place of an older one."""
    before, _, rest = page.read_text().partition(START)
    page.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def arguments() -> argparse.Namespace:
    asked = parser(quick="three rows and two photos of each task")
    add = asked.add_argument
    add("--data", type=Path, help="a folder of photos, in addition to scikit-image's")
    add("--out", type=Path, default=Path(tempfile.gettempdir()) / "perturbx-judges")
    add("--only", default="", help="suites whose names match")
    add("--page", type=Path, help="a Markdown file, in which the table is replaced")
    return asked.parse_args()


if __name__ == "__main__":
    sys.exit(main())
