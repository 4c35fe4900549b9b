"""Which maps of a photo are faithful to a real network, and what do they cost?

Explains photos of which an ImageNet network is sure, and composites with known objects, by
perturbx and by every installed peer: lime, shap, captum, RISE as published. ``--out`` keeps maps,
figures, tables and a contact sheet, and an interrupted run continues from there.

    python -m benchmarks.images.faithfulness [--quick] [--check] [--data FOLDER] [--out FOLDER]
        [--only PATTERN] [--again PATTERN] [--seeds 1] [--jobs 1] [--parts maps games]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.command import parser, status
from benchmarks.images import _games as games
from benchmarks.images import _tables as tables
from benchmarks.images._methods import methods
from benchmarks.images._network import NetworkMissingError, network
from benchmarks.images._run import Plan, run_all
from benchmarks.images._views import View, composite_views, views
from benchmarks.report import Runs, Target

PARTS = ("maps", "games")


def main() -> int:
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    found: list[Target] = []
    try:
        if "maps" in chosen.parts:
            found += maps(chosen, said)
        if "games" in chosen.parts:
            found += games.play(chosen.out, chosen.network, chosen.quick, said)
    except NetworkMissingError as error:
        print(error, file=sys.stderr)
        return int(chosen.check)
    text = "\n".join([*said, "## Targets\n", *map(str, found)])
    (chosen.out / "images.md").write_text(text + "\n")
    print(text)
    return status(chosen.check, found)


def maps(chosen: argparse.Namespace, said: list[str]) -> list[Target]:
    """Explain every view, write tables and the contact sheet; the targets."""
    ask = network(chosen.out, chosen.network)
    photos, notes = views(ask, chosen.data)
    composites = list(composite_views(ask, chosen.data))
    if chosen.quick:
        photos = [v for v in photos if v.kind == "squashed"][1:3]
        composites = [v for v in composites if v.kind == "twice"][:1]
    wanted = [*photos, *composites]
    plan = Plan(chosen.out, chosen.network, chosen.only, chosen.again, chosen.seeds, chosen.quick)
    runs = Runs(chosen.out / "images.csv")
    print(*methods()[1], sep="\n", file=sys.stderr)
    run_all(wanted, plan, runs, chosen.jobs)
    order = list(dict.fromkeys([*(m.name for m in methods()[0]), *runs.estimators()]))
    said += ["## Photos\n", *(f"- {note}" for note in [*notes, *map(_tell, composites)]), ""]
    said += tables.everything(runs, wanted, order)
    tables.contact_sheet(wanted, order, chosen.out)
    return tables.targets(runs, wanted)


def _tell(view: View) -> str:
    fair = "" if np.isnan(view.fair) else f", fair share of the weaker {view.fair:.2f}"
    return f"composite: {view.name}, {view.probability:.2f}{fair}"


def arguments() -> argparse.Namespace:
    asked = parser(quick="two photos, one composite, fewer methods")
    add = asked.add_argument
    add("--data", type=Path, help="a folder of photos, in addition to scikit-image's")
    add("--out", type=Path, default=Path(tempfile.gettempdir()) / "perturbx-images")
    add("--network", type=Path, help="its ONNX file, if there is one already")
    add("--only", default="", help="methods whose names match")
    add("--again", default="", help="methods whose names match are run again")
    add("--seeds", type=int, default=1, help="of random methods")
    add("--jobs", type=int, default=1, help="processes, one picture each")
    add("--parts", nargs="+", choices=PARTS, default=PARTS)
    return asked.parse_args()


if __name__ == "__main__":
    sys.exit(main())
