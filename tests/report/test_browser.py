"""Pages in headless Chromium: read, clicked, sorted, searched, without errors or requests.

Skipped without node, Chromium, and the packages playwright-core and axe-core of npm, which node
finds in NODE_PATH.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("browser.cjs")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
KINDS = ("table", "many", "photos", "texts", "series")


def browser() -> str:
    """Chromium, or a skip that says what is missing."""
    node = shutil.which("node")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if node is None or found is None:
        pytest.skip("needs node and Chromium")
    asked = "require.resolve('playwright-core'); require.resolve('axe-core')"
    if subprocess.run([node, "-e", asked], capture_output=True).returncode:
        pytest.skip("needs playwright-core and axe-core of npm in NODE_PATH")
    return found


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: Any, hostile: Any, photos: Any, texts: Any, series: Any
) -> dict[str, px.Explanation]:
    """What was seen on a page of each kind, all by one browser."""
    chromium, folder = browser(), tmp_path_factory.mktemp("pages")
    X = np.random.default_rng(0).normal(size=(300, 40))
    many = px.KernelShap(lambda X: X @ np.arange(40.0), budget=150, random_state=0)
    paths = {kind: str(folder / f"{kind}.html") for kind in KINDS}
    explained = many.fit(X[:30]).explain(X)
    measured = px.metrics.deletion(
        lambda X: X @ np.arange(40.0), X[:6], explained[:6], masker=many.masker_, random_state=0
    )
    px.report(hostile[0], path=paths["table"], effects=hostile[1], title="</title><b>title</b>")
    px.report(explained, path=paths["many"], metrics=measured)
    px.report(photos, path=paths["photos"])
    px.report(texts, path=paths["texts"])
    px.report(series, path=paths["series"])
    command = ["node", str(SCRIPT), chromium, json.dumps(paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_goes_wrong(pages: Any, kind: str) -> None:
    """No message of the console, no request, no control on paper."""
    assert pages[kind]["messages"] == []
    assert pages[kind]["requests"] == []
    assert pages[kind]["printed"] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["light", "dark", "after"])
def test_pages_are_accessible(pages: Any, kind: str, when: str) -> None:
    """No serious finding of axe-core, in light and dark, and after everything was clicked."""
    assert pages[kind]["axe"][when] == []


def test_the_script_draws_what_the_file_has(pages: Any) -> None:
    """Going on to the second row and back gives the same names, numbers, bars and ranks."""
    seen = pages["table"]
    assert len(seen["first"]) == 9
    assert seen["back"] == seen["first"]
    assert seen["next"]["rows"] != seen["first"]


def test_rows_are_flipped_and_chosen(pages: Any, hostile: Any) -> None:
    """By arrow keys, by number and from the list, which is sorted by prediction on request."""
    seen, explanation = pages["table"], hostile[0]
    assert seen["skip"] == "Skip to the scores"
    assert seen["next"]["title"] == "Row 2 of 12"
    assert f"{explanation.predictions[1, 0]:.2f}".lstrip("-") in seen["next"]["head"]
    assert seen["typed"] == "Row 1 of 12"
    assert seen["number"] == "Row 7 of 12"
    assert seen["chosen"] == ["Row 3 of 12", "row"]
    assert len(seen["current"]) == 1
    assert seen["current"][0].startswith("3")
    numbers = [float(text.replace("\N{MINUS SIGN}", "-")) for text in seen["sorted"]]
    assert numbers == sorted(numbers)


def test_features_are_sorted_and_searched(pages: Any, hostile: Any) -> None:
    """By size, by name, from low to high; the search knows no case."""
    seen, explanation = pages["table"], hostile[0]
    scores = explanation.values[0, :, 0]

    def first_number(row: Any) -> float:
        return float(row["cells"][2].replace("\N{MINUS SIGN}", "-").replace("≈ ", ""))

    sizes = [abs(first_number(row)) for row in seen["first"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(np.abs(scores).max(), rel=0.01)
    lows = [first_number(row) for row in seen["low"]]
    assert lows == sorted(lows)
    assert [row["name"] for row in seen["named"]] != [row["name"] for row in seen["first"]]
    assert [row["name"] for row in seen["searched"]] == [explanation.feature_names[2]]


def test_outputs_are_switched_everywhere(pages: Any, hostile: Any) -> None:
    """The prediction, the scores, the global view, and the effects of the same name."""
    seen, explanation = pages["table"], hostile[0]
    assert seen["output"][0].startswith(explanation.output_names[0])
    assert seen["output"][1].startswith(explanation.output_names[1])
    top = explanation.feature_names[int(np.abs(explanation.values[0, :, 1]).argmax())]
    assert seen["switched"][0]["name"] == top
    importance = explanation.importance()
    largest = explanation.feature_names[int(importance.values[:, 1].argmax())]
    assert seen["global"][0]["name"] == largest
    assert set(seen["effects"]) == {"1"}


def test_hostile_names_are_shown_as_text(pages: Any, hostile: Any) -> None:
    """Markup is read as it is written, and nothing of it ran."""
    names = {row["name"] for row in pages["table"]["first"]}
    assert set(hostile[0].feature_names[:5]) <= names
    assert "two lines" in names
    assert pages["table"]["hurt"] is None


def test_the_theme_is_switched(pages: Any) -> None:
    theme, background = pages["table"]["theme"]
    assert theme == "dark"
    assert background == "rgb(15, 19, 23)"


def test_many_rows_and_features_are_paged(pages: Any) -> None:
    """25 rows and 20 features at a time, all features on request, few nodes."""
    seen = pages["many"]
    assert seen["said"] == ["1–25 of 300", "26–50 of 300"]
    assert (seen["lines"], seen["few"], seen["all"]) == (25, 20, 40)
    assert seen["nodes"] < 3000


def test_photos_have_sliders(pages: Any) -> None:
    """Opacity leads from the photo to the heat map; a threshold takes color away."""
    seen = pages["photos"]
    assert seen["shown"] == [[["0", "0"]], [["0", "2"]], [["1", "2"]]]
    assert seen["said"] == "60%"
    assert seen["loaded"] == [36]
    colors = {}
    for name, code in seen["screens"].items():
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB"), float)
        colors[name] = pixels[4:-4, 4:-4]
    gaps = {name: np.abs(colors[name] - colors["clear"]).mean() for name in colors}
    assert gaps["clear"] == 0 < gaps["start"] < gaps["full"]
    # Colors that stay under the threshold are as gray as the photo below.
    gray = {name: np.ptp(colors[name], axis=-1) < 8 for name in ("full", "above")}
    assert gray["above"].mean() > gray["full"].mean() + 0.1
    assert gray["above"].mean() < 1


def test_texts_and_series_are_flipped(pages: Any, texts: Any) -> None:
    """Each row has its own picture, and its own names."""
    assert pages["texts"]["first"] == texts.data[0]
    assert pages["texts"]["second"] == [texts.data[1]]
    assert len(pages["texts"]["rows"]) == 4
    assert pages["series"]["shown"] == [[["0", "0"]], [["1", "0"]]]
