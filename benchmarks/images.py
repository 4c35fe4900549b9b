"""Whose map of a picture is faithful, what does it cost, and does it share among equal objects?

Explains photos of which a real ImageNet network is sure, and composites with known objects, by
perturbx and by every peer that installs: lime, shap, captum, RISE as published. --out keeps maps,
figures, tables and a contact sheet, and an interrupted run goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import _image_games as games
import _image_overhead as overhead
import _image_tables as tables
from _image_methods import methods
from _image_network import NetworkMissingError, network
from _image_run import Plan, run_all
from _image_views import View, composite_views, views
from _measure import Reach
from _report import Runs

PARTS = ("maps", "games", "overhead")


def main() -> int:
    chosen = arguments()
    if chosen.contender:
        return overhead.contend(*chosen.contender)
    chosen.out.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    found: list[Reach] = []
    missing = False
    try:
        if "maps" in chosen.parts:
            found += maps(chosen, said)
        if "games" in chosen.parts:
            found += games.play(chosen.out, chosen.network, chosen.quick, said)
    except NetworkMissingError as error:
        missing = True
        said.append(f"No maps and no games: {error}.\n")
    if "overhead" in chosen.parts:
        found += overhead.race_all(__file__, chosen.only, chosen.quick, said)
    lines = ["## Reaches\n", *map(str, found)]
    text = "\n".join([*said, *lines])
    (chosen.out / "images.md").write_text(text + "\n")
    print(text)
    return 1 if chosen.check and (missing or not all(reach.holds for reach in found)) else 0


def maps(chosen: argparse.Namespace, said: list[str]) -> list[Reach]:
    """Explain every view, write tables and the contact sheet; what is reached."""
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
    return tables.reaches(runs, wanted)


def _tell(view: View) -> str:
    fair = "" if np.isnan(view.fair) else f", fair share of the weaker {view.fair:.2f}"
    return f"composite: {view.name}, {view.probability:.2f}{fair}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="two photos, one composite, fewer methods")
    add("--check", action="store_true", help="exit with 1 where a reach is missed")
    add("--data", type=Path, help="a folder of photos, beside scikit-image's")
    add("--out", type=Path, default=Path(tempfile.gettempdir()) / "perturbx-images")
    add("--network", type=Path, help="the ONNX file, if you have made it before")
    add("--only", default="", help="methods whose names match")
    add("--again", default="", help="methods whose names match are run although they are there")
    add("--seeds", type=int, default=1, help="of methods that are random")
    add("--jobs", type=int, default=1, help="processes, a picture each")
    add("--parts", nargs="+", choices=PARTS, default=PARTS)
    add("--contender", nargs=2, metavar=("METHOD", "SIDE"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
