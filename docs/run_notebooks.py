"""Runs the notebooks and keeps their outputs, which GitHub and the site show: `make notebooks`."""

import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image


def run(path: Path) -> None:
    """Store what the cells return, without times and versions, which differ in every run."""
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, record_timing=False, resources=folder).execute()
    notebook.metadata = nbformat.from_dict(metadata)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _worth_showing(cell.outputs)
    nbformat.write(notebook, path)


def _worth_showing(outputs: list[Any]) -> list[Any]:
    """Without warnings of the kernel, and without the axes' names under a picture."""
    shown = [output for output in outputs if output.get("name") != "stderr"]
    pictures = [output.data for output in shown if "image/png" in output.get("data", {})]
    for data in pictures:
        data["image/png"] = _small(data["image/png"])
    return [o for o in shown if not (pictures and list(o.get("data", {})) == ["text/plain"])]


def _small(png: str) -> str:
    """The picture with a palette of 256 colors, about a third of its size."""
    file = BytesIO()
    with Image.open(BytesIO(b64decode(png))) as picture:
        picture.convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        run(Path(name))
