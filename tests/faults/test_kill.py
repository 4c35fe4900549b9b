"""Runs that are killed: the archive holds all that was answered, and the next run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = r"""
import json, os, random, resource, signal, sys, time
import numpy as np
import perturbx as px

folder, how, n_jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
X = np.random.default_rng(0).normal(size=(60, 12))


def explained(archive, kill_at=None, pause=0.0):
    calls = [0]

    def model(rows):
        calls[0] += 1
        with open(f"{folder}/asked", "ab", buffering=0) as file:
            file.write(b"%d\n" % len(rows))
        if calls[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause)
        return np.exp(0.3 * rows @ np.cos(np.arange(12.0)).reshape(12, 1))[:, 0]

    settings = {"budget": 4000, "batch_size": 200, "random_state": 0, "n_jobs": n_jobs}
    return px.KernelShap(model, archive=archive, **settings).fit(X[:50]).explain(X[50:54])


def asked():
    with open(f"{folder}/asked") as file:
        rows = [int(line) for line in file]
    open(f"{folder}/asked", "w").close()
    return rows


open(f"{folder}/asked", "w").close()
whole = explained(px.Archive(f"{folder}/whole.sqlite", model="v1"))
paid = sum(asked())
archive = px.Archive(f"{folder}/killed.sqlite", model="v1")
rng = random.Random(0)
n_killed = 0
for i in range(20):
    pid = os.fork()
    if not pid:
        if how == "disk":
            limit = 40_000 + 20_000 * i
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                explained(archive)
            except px.errors.ArchiveError as error:
                assert "still there" in str(error), error
                os._exit(9)
            os._exit(0)
        explained(archive, rng.randint(1, 12) if how == "call" else None, 0.004)
        os._exit(0)
    if how == "moment":
        time.sleep(rng.uniform(0.0, 0.25))
        os.kill(pid, signal.SIGKILL)
    rng.random()
    _, status = os.waitpid(pid, 0)
    n_killed += status != 0
resumed = explained(archive)
again = sum(asked()) - paid
print(json.dumps({
    "killed": n_killed,
    "again": again,
    "same": [
        np.array_equal(getattr(whole, name), getattr(resumed, name))
        for name in ("values", "standard_errors", "background_errors", "base_values", "n_rows")
    ],
    "lost": px.archive.verify(archive).n_lost,
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals")
@pytest.mark.parametrize("how", ["call", "moment", "disk"])
def test_killed_runs_go_on(tmp_path: Path, how: str) -> None:
    """After 20 kills, or with a full disk, to the last bit; a kill costs at most one batch."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), how, "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["killed"] >= 5
    assert all(found["same"])
    assert found["again"] <= 200 * found["killed"]
    assert found["lost"] == 0
