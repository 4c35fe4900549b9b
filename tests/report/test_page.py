"""The structure of pages, by Python's own parser: what is shown, escaped, labeled and refused."""

from __future__ import annotations

import builtins
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, SelectionError

PAGE = import_module("perturbx.report.page")  # px.report is the function

VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes, texts by element, and what was left open."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def every(self, tag: str) -> list[dict[str, Any]]:
        return [attrs for name, attrs in self.found if name == tag]

    @property
    def data(self) -> Any:
        (text,) = (t for t in self.texts["script"] if t.startswith("{"))
        return json.loads(text)


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """A page, read back."""

    def write(*given: Any, **options: Any) -> Page:
        return Page(px.report(*given, path=tmp_path / "page.html", **options))

    return write


X = np.random.default_rng(0).normal(size=(60, 4))


def model(X: Any) -> Any:
    return X[:, 0] * X[:, 1] + X[:, 2]


@pytest.fixture(scope="module")
def rows() -> px.Explanation:
    return px.KernelShap(model, budget=80, random_state=0).fit(X).explain(X[:20])


# ---------------------------------------------------------------- what is shown


def test_numbers_of_the_data_are_those_of_the_explanation(written: Any, rows: Any) -> None:
    """Every score and half interval, to five digits of the largest score of its row."""
    data = written(rows).data
    unit = 10.0 ** np.array(data["s"])[:, None]
    largest = np.abs(rows.values).max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        np.array(data["v"]) * unit / largest, rows.values / largest, atol=6e-5
    )
    _, upper = rows.interval()
    half = upper - rows.values
    np.testing.assert_allclose(np.array(data["h"]) * unit / largest, half / largest, atol=6e-5)
    assert data["cells"][3] == [f"{value:.4g}" for value in X[3]]
    assert len(data["words"]) == 20


def test_the_global_view_is_the_importance_with_intervals(written: Any, rows: Any) -> None:
    data, found = written(rows, level=0.9).data["global"], rows.importance()
    unit = 10.0 ** data["s"][0]
    for key, expected in zip("vab", (found.values, *found.interval(0.9)), strict=True):
        np.testing.assert_allclose(np.array(data[key][0]) * unit, expected, atol=1e-4)


def test_one_row_has_no_rows_to_choose_from(written: Any, rows: Any) -> None:
    """Nor a global view."""
    page = written(rows[0])
    assert page.data["n"] == 1
    assert "global" not in page.data
    assert not {"rows", "global", "number"} & {attrs.get("id") for _, attrs in page.found}


def test_the_first_row_is_there_without_scripts(written: Any, rows: Any) -> None:
    """Sorted by size, with data, scores, intervals and ranks."""
    page = written(rows)
    order = np.argsort(-np.abs(rows.values[0]))
    names = [rows.feature_names[i] for i in order]
    assert [text for text in page.texts["bdi"] if text in rows.feature_names][:4] == names
    assert any("largest score" in text for text in page.texts["li"])
    (zero,) = (attrs["style"] for attrs in page.every("table") if "style" in attrs)
    assert zero.startswith("--zero:")
    assert any(text.startswith("Scripts are off") for text in page.texts["p"])


def test_rows_have_names_on_request(written: Any, rows: Any) -> None:
    """Escaped, on one line, next to their numbers."""
    names = [f"<b>patient\n{i}</b>" for i in range(20)]
    page = written(rows, row_names=np.array(names))
    assert page.data["rows"] == [f"<b>patient {i}</b>" for i in range(20)]
    assert "<b>patient 0</b>" in page.texts["bdi"]
    assert written(rows).data["rows"] == []


def test_an_explainer_explains_first(written: Any) -> None:
    """X goes to it, and the page is that of the explanation."""
    explainer = px.KernelShap(model, budget=80, random_state=0).fit(X)
    first, second = written(explainer, X[:3]).data, written(explainer.explain(X[:3])).data
    assert first["v"] == second["v"]


def test_the_output_that_is_shown_first(written: Any, hostile: Any) -> None:
    """By name or by position."""
    explanation, _ = hostile
    by_name = written(explanation, output=explanation.output_names[1])
    assert by_name.data["first"] == 1
    assert written(explanation, output=-1).data["first"] == 1
    chosen = [attrs for attrs in by_name.every("option") if "selected" in attrs]
    assert [attrs["value"] for attrs in chosen] == ["1", "size"][:1]


def test_only_scores_that_add_up_are_added_up(written: Any, rows: Any) -> None:
    """Base value, raised, lowered, missing, prediction; of other methods only the two ends."""
    base, up, down, rest, total = (
        float(text.replace("\N{MINUS SIGN}", "-")) for text in written(rows).data["heads"][0]
    )
    values = rows.values[0]
    assert up == pytest.approx(values[values > 0].sum(), abs=0.006)
    assert down == pytest.approx(-values[values < 0].sum(), abs=0.006)
    assert base + up - down == pytest.approx(total, abs=0.02)
    assert rest == 0
    missing = replace(rows, residual=np.full(20, 0.5), predictions=rows.predictions + 0.5)
    assert float(written(missing).data["heads"][0][3]) == 0.5
    for method in (px.Lime, px.Occlusion):
        found = method(model, budget=400, random_state=0).fit(X).explain(X[:2])
        assert all(len(head) == 2 for head in written(found).data["heads"])


def test_unknown_scores_and_errors_are_null(written: Any, rows: Any) -> None:
    """Never 0, and never NaN, which is no JSON."""
    values, errors = rows.values.copy(), rows.standard_errors.copy()
    values[0, 1], errors[1] = np.nan, np.nan
    data = written(replace(rows, values=values, standard_errors=errors, residual=None)).data
    assert data["v"][0][1] is None
    assert data["h"][1] == [None] * 4


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e250])
def test_any_scale(written: Any, rows: Any, scale: float) -> None:
    """Whole numbers times a power of ten, near the smallest and the largest floats too."""
    scaled = {
        name: getattr(rows, name) * scale
        for name in ("values", "standard_errors", "base_values", "predictions", "residual")
    }
    data = written(replace(rows, **scaled, rounding=None, background_errors=None)).data
    assert all(abs(v) < 1e6 for row in data["v"] for v in row)
    assert max(abs(v) for v in data["v"][0]) >= 10_000


# ---------------------------------------------------------------- pictures


def test_photos_have_layers(written: Any, photos: Any) -> None:
    """For each photo and output the heat map, with one copy of the photo."""
    page = written(photos, output=2)
    images = page.every("img")
    below = [attrs for attrs in images if attrs["class"] == "px-below"]
    assert len([attrs for attrs in images if attrs["class"] == "px-heat"]) == 6
    assert [attrs for attrs in below if "src" in attrs] == [below[2], below[5]]
    assert all(attrs["alt"] for attrs in images)
    shown = [attrs for attrs in page.every("div") if attrs.get("class") == "shown"]
    visible = [attrs for attrs in shown if "hidden" not in attrs]
    assert [(attrs["data-row"], attrs["data-output"]) for attrs in visible] == [("0", "2")]


def test_texts_are_colored_word_by_word(written: Any, texts: Any) -> None:
    """Names, places and numbers of each text are its own."""
    page = written(texts)
    spans = [attrs for attrs in page.every("span") if attrs.get("class", "").startswith("px-up")]
    assert [attrs["title"].partition(":")[0] for attrs in spans] == ["good", "good", "good (2)"]
    assert [len(names) for names in page.data["names"]] == [3, 4]
    assert [len(v) for v in page.data["v"]] == [3, 4]
    assert "global" not in page.data


def test_series_are_curves(written: Any, series: Any) -> None:
    page = written(series)
    assert len(page.every("polyline")) == 4
    assert page.data["cells"][1][0] == f"{series.data[1][:12, 0].mean():.4g}"


def test_pictures_are_few(photos: Any, tmp_path: Path) -> None:
    """Too many of them would make a page that no browser opens at ease."""
    many = px.concat([photos] * 40)
    with pytest.raises(InvalidParameterError, match=r"at most 200 pictures, and 80 rows with 3"):
        px.report(many, path=tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- effects and metrics


def test_effects_are_drawn_with_intervals(written: Any, hostile: Any) -> None:
    """A panel for each curve and output, numbers as lines with bands, categories as points."""
    explanation, effects = hostile
    page = written(explanation, effects=effects)
    panels = [attrs for attrs in page.every("figure") if "data-effect" in attrs]
    assert len(panels) == 18
    assert len([a for a in page.every("polygon") if a.get("class") == "band"]) == 16
    assert len([a for a in page.every("circle") if a.get("class") == "dot"]) == 6
    labels = [a["aria-label"] for a in page.every("svg") if "aria-label" in a]
    assert all("lowest" in label and "[" in label for label in labels)


def test_metrics_stand_beside_chance(written: Any, rows: Any) -> None:
    masker = px.Background(X)
    deletion = px.metrics.deletion(model, X[:20], rows, masker=masker, random_state=0)
    page = written(
        rows, metrics=[deletion, px.metrics.insertion(model, X[:20], rows, masker=masker)]
    )
    assert "deletion" in page.texts["th"]
    verdicts = [text for text in page.texts["span"] if "chance" in text]
    assert len(verdicts) == 2
    assert all(verdict.endswith("20 instances") for verdict in verdicts)


# ---------------------------------------------------------------- safety


def test_names_are_text(written: Any, hostile: Any) -> None:
    """No name becomes an element, an attribute, or the end of a script."""
    explanation, effects = hostile
    title = "</title><script>window.hurt = 5</script>"
    page = written(explanation, effects=effects, title=title)
    assert not page.open
    assert len(page.every("script")) == 2
    assert not page.every("img")
    assert not page.every("b")
    assert title in "".join(page.texts["title"])
    assert not any(name.startswith("on") for _, attrs in page.found for name in attrs)
    bdi = page.texts["bdi"]
    assert "<script>window.hurt = 1</script>" in bdi
    assert "\u202e" not in page.source
    assert "\\u202e" not in page.source
    between = page.source.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in between


def test_names_without_bytes_are_written(written: Any, rows: Any) -> None:
    """Halves of surrogate pairs, in any name."""
    odd = replace(
        rows,
        feature_names=("\ud800", "b\udfff", "c", "d"),
        value_function="\ud800 of a model",
        notes=("\udfff",),
    )
    page = written(odd, title="\ud800")
    assert page.data["names"][0][0] == "\N{REPLACEMENT CHARACTER}"


def test_nothing_is_loaded(written: Any, hostile: Any, photos: Any) -> None:
    """One script of a known hash, pictures in the page, no network."""
    for explanation in (hostile[0], photos):
        page = written(explanation)
        (policy,) = (a["content"] for a in page.every("meta") if "http-equiv" in a)
        assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; ")
        assert not page.every("link")
        addresses = re.findall(r"(?:src|href|action)=\"([^\"]*)\"", page.source)
        assert all(one.startswith(("data:image/", "#")) for one in addresses)
        assert "url(http" not in page.source


def test_everything_has_a_name_for_a_screen_reader(written: Any, hostile: Any) -> None:
    """Tables have heads, controls labels, sections titles; the first link skips to the scores."""
    page = written(hostile[0], effects=hostile[1])
    ids = {attrs["id"] for _, attrs in page.found if "id" in attrs}
    assert all(a["aria-labelledby"] in ids for a in page.every("section"))
    assert all(a["scope"] in ("row", "col") for a in page.every("th"))
    assert page.every("a")[0]["href"] == "#row"
    assert page.every("html")[0]["lang"] == "en"
    assert len(page.every("input")) + len(page.every("select")) == len(page.every("label"))


# ---------------------------------------------------------------- size


def test_twenty_rows_of_thirty_features_are_small(written: Any) -> None:
    """At most 300 KB."""
    X = np.random.default_rng(0).normal(size=(50, 30))
    explainer = px.KernelShap(lambda X: X @ np.arange(30.0), budget=120, random_state=0)
    assert len(written(explainer.fit(X).explain(X[:20])).source.encode()) <= 300_000


def test_a_page_that_is_too_large_is_refused(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its size, and what to do; nothing is written."""
    monkeypatch.setattr(PAGE, "_LARGEST", 10_000)
    with pytest.raises(InvalidParameterError, match=r"would have .* MB.*explanation\[:1000\]"):
        px.report(rows, path=tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- bad input


def test_paths_that_cannot_be_written(rows: Any, tmp_path: Path) -> None:
    """Refused before an explainer is asked anything."""
    with pytest.raises(IsADirectoryError, match="is a folder"):
        px.report(rows, path=tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        px.report(rows, path=tmp_path / "missing" / "page.html")
    with pytest.raises(InvalidParameterError, match="path must be"):
        px.report(rows, path=3)  # type: ignore[arg-type]
    asked: list[int] = []
    explainer = px.KernelShap(lambda X: asked.append(len(X)) or X[:, 0]).fit(X)
    asked.clear()
    with pytest.raises(FileNotFoundError):
        px.report(explainer, X[:2], path=tmp_path / "missing" / "page.html")
    with pytest.raises(InvalidParameterError):
        px.report(explainer, X[:2], path=tmp_path / "page.html", effects=3)  # type: ignore[arg-type]
    assert not asked


def test_an_existing_page_survives_a_failure(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the new file, or the old one, and no draft beside it."""
    path = px.report(rows, path=tmp_path / "page.html")
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        px.report(rows[:2], path=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ("text", {}, "explanation must be an Explanation, or an explainer"),
        (px.KernelShap(model), {}, r"needs rows: report\(explainer, X\)"),
        ("rows", {"X": X}, "X must be None"),
        ("rows", {"output": "risk"}, "No output is named 'risk'"),
        ("rows", {"output": 3}, "No output 3"),
        ("rows", {"effects": 3}, "effects must be EffectCurves"),
        ("rows", {"metrics": [3]}, "metrics must be results of metrics"),
        ("rows", {"title": 3}, "title must be a str"),
        ("rows", {"row_names": ["a"]}, "row_names must be a list of 20 names"),
        ("rows", {"row_names": "a" * 20}, "row_names must be a list of names"),
        ("rows", {"level": 1.0}, "level must be a number"),
        ("one score", {}, r"nothing to show.*as in explanation\[0\]"),
        ("no rows", {}, r"nothing to show: the scores have shape \(0, 4\)"),
    ],
)
def test_wrong_arguments(
    rows: Any, tmp_path: Path, given: Any, options: dict[str, Any], message: str
) -> None:
    """What was wrong, what was expected, what to do."""
    named = {"rows": rows, "one score": rows[0, 0], "no rows": rows[:0]}
    explanation = named.get(given, given) if isinstance(given, str) else given
    with pytest.raises((InvalidParameterError, SelectionError), match=message):
        px.report(explanation, path=tmp_path / "page.html", **options)
    assert not list(tmp_path.iterdir())


def test_without_jinja2_the_extra_is_named(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook then shows the text."""
    import perturbx.result.templates as templates

    templates._environment.cache_clear()
    real = builtins.__import__

    def absent(name: str, *more: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "jinja2":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more, **options)

    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[report\]"'):
        px.report(rows, path=tmp_path / "page.html")
    assert rows._repr_html_() is None
