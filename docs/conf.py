"""Settings of the site; `make docs` builds it from README, docs, notebooks and docstrings.

The source folder is the root of the repository, so that the links which work on GitHub also work
on the site.
"""

import inspect
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from perturbx import __version__  # noqa: E402

from api_pages import write_pages  # noqa: E402 - found by the line above

project, author, release = "perturbx", "The perturbx developers", __version__
copyright = author
root_doc = "README"
include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"),
    *("docs/*.md", "docs/api/*.md", "notebooks/*.ipynb"),
]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebooks hold their outputs: make notebooks
autodoc_typehints = "none"  # the docstrings have them
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
napoleon_google_docstring = False
napoleon_use_rtype = napoleon_use_param = False  # types are sentences, not names
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "perturbx"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["root"]  # index.html leads to the first page
html_show_sourcelink = False
html_copy_source = False

NAVIGATION = {
    "Start here": {
        "docs/table-in-five-minutes": "A table in five minutes",
        "docs/images": "Photos and images",
        "docs/texts": "Texts and lists",
        "docs/series": "Time series",
        "docs/models": "Models of any framework",
        "docs/dear-models": "Remote, metered or slow models",
    },
    "Guide": {
        "docs/methods": "Which method, when",
        "docs/how-sure": "How sure is it?",
        "docs/removal": "Which removal",
        "docs/dependence": "Dependent features",
        "docs/effects": "Effects of a feature",
        "docs/from-shap-and-lime": "Coming from shap or lime",
        "docs/plots": "Plots",
        "docs/report": "A page to share",
        "docs/command-line": "Command line",
        "docs/your-own-parts": "Your own parts",
    },
    "Notebooks": {
        "notebooks/tables": "Tables",
        "notebooks/images": "Images",
        "notebooks/texts": "Texts",
        "notebooks/series": "Time series",
    },
    "Reference": {
        "docs/api/index": "API",
        "benchmarks/README": "Benchmarks",
        "docs/judges": "Benchmarks of others",
        "CHANGELOG": "Changes",
        "CONTRIBUTING": "Contributing",
    },
}
"""The pages of the site with their short titles, by caption; a page that is not here is added."""


def navigation() -> str:
    """The tables of contents, for the end of the first page."""
    listed = {name for pages in NAVIGATION.values() for name in pages}
    found = [*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    others = {str(path.relative_to(ROOT).with_suffix("")) for path in found} - listed
    lines = []
    for caption, pages in NAVIGATION.items():
        lines += ["```{toctree}", ":hidden:", f":caption: {caption}", ""]
        lines += [f"{title} <{name}>" for name, title in pages.items() if _exists(name)]
        lines += sorted(others) if caption == "Guide" else []
        lines += ["```", ""]
    return "\n".join(lines)


def _exists(name: str) -> bool:
    return name == "docs/api/index" or any(ROOT.glob(f"{name}.*"))


def _add_navigation(app: Sphinx, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += "\n" + navigation()


def _as_rst(
    app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Read docstrings as they are written: `code`, and |score| as a mean of sizes."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            line = re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", line)
            lines[i] = re.sub(r"(?<![`:])`([^`]+)`(?![`_])", _code, line)


def _code(found: re.Match[str]) -> str:
    """A link to what is ours by its full name, and code else."""
    name = re.fullmatch(r"(?:perturbx|px)((?:\.\w+)+)", found[1])
    return f":py:obj:`{found[1]} <perturbx{name[1]}>`" if name else f"``{found[1]}``"


def _of_class(
    app: Sphinx, kind: str, name: str, value: type, options: object, shown: str, returned: str
) -> tuple[str, str] | None:
    """The signature that a class has for Python: those of methods come from their fields."""
    if kind != "class" or not shown:
        return None
    signature = inspect.signature(value)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(plain)), ""


def setup(app: Sphinx) -> None:
    """Write the API pages, and add the navigation to the first page."""
    write_pages(ROOT / "docs/api")
    app.connect("autodoc-process-docstring", _as_rst)
    app.connect("autodoc-process-signature", _of_class)
    app.connect("source-read", _add_navigation)
