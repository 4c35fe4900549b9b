import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_every_code_block_runs_after_the_ones_before(tmp_path, monkeypatch):
    """A reader can paste the README from top to bottom."""
    pytest.importorskip("pandas")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    blocks = code_blocks("python")
    assert len(blocks) >= 5
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    plt.close("all")


def test_links_lead_somewhere():
    """Every file that the README links to exists."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(targets) >= 4
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_commands_name_what_exists():
    """Every `make` target and extra that the README tells a stranger to use is there."""
    targets = re.findall(r"make ([a-z]+)", README)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= set(targets)
    assert [t for t in targets if f"\n{t}:" not in makefile] == []
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r'-e "\.\[([a-z]+)\]"', README)
    assert len(extras) == 2
    assert [e for e in extras if f"\n{e} = [" not in pyproject] == []
