"""Installs what README and docs name, and runs their code blocks, as a reader would.

    python tests/documents.py [--constraint FILE] README.md docs/images.md

runs each document from top to bottom: its `pip install` lines from the root of the repository, with
the Python that runs this script, and its Python blocks and `perturbx` commands, one after the
other, in an empty folder. A Python block that starts with a comment such as "# model.py" is a file.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

_FILE = re.compile(r"# (\w+\.py)\n")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_INSTALL = "python -m pip install "
_ROOT = Path(__file__).resolve().parents[1]


def steps(document: Path) -> list[tuple[str, str, int]]:
    """("install", arguments of pip, line), ("python", code, line) and ("perturbx", ...), in order.

    Other shell blocks than those that install with the reader's own Python are left out.
    """
    text = document.read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        language, code = block.groups()
        line = text.count("\n", 0, block.start(2)) + 1
        if language == "python":
            found.append(("python", code, line))
        elif language == "sh" and code.startswith(_INSTALL):
            found.append(("install", code.removeprefix(_INSTALL).strip(), line))
        elif language == "sh" and code.startswith("perturbx "):
            found += [("perturbx", command, line) for command in code.splitlines()]
    return found


def run(document: Path, steps: list[tuple[str, str, int]], *options: str) -> None:
    """Run the steps in order, with the names that earlier ones defined; `options` are pip's."""
    caller, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        _run(document, steps, options, vars(sys.modules["__main__"]))
    finally:
        sys.modules["__main__"] = caller


def _run(
    document: Path,
    steps: list[tuple[str, str, int]],
    options: Sequence[str],
    names: dict[str, object],
) -> None:
    for kind, code, line in steps:
        start = time.perf_counter()
        if kind == "install":
            pip = [sys.executable, "-m", "pip", "install", "--quiet", *options]
            subprocess.run([*pip, *shlex.split(code)], cwd=_ROOT, check=True)
            importlib.invalidate_caches()
        elif kind == "perturbx":
            from perturbx.cli import main as command_line

            status = command_line(shlex.split(code)[1:])
            assert status == 0, f"{document.name}:{line}: status {status}"
        elif file := _FILE.match(code):
            Path(file[1]).write_text(code, encoding="utf-8")
        else:
            # Line numbers of errors are those of the document.
            exec(compile("\n" * (line - 1) + code, str(document), "exec"), names)
        print(f"== {document.name}:{line}: {kind}, {time.perf_counter() - start:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", nargs="+", type=lambda name: Path(name).resolve())
    parser.add_argument("--constraint", help="a file of versions that pip must keep to")
    chosen = parser.parse_args()
    options = ["--constraint", chosen.constraint] if chosen.constraint else []
    os.environ["MPLBACKEND"] = "Agg"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for document in chosen.documents:
            run(document, steps(document), *options)


if __name__ == "__main__":
    main()
