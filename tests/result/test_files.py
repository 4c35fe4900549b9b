"""A save that fails leaves the file that was there, whatever stops it."""

from __future__ import annotations

import builtins
import errno
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

ENDINGS = (".npz", ".json")
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="POSIX alone")


def in_a_fork(test: Any) -> Any:
    """A test that forks."""
    quiet = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    return not_on_windows(quiet(test))


def explanation(d: int = 200) -> px.Explanation:
    """A result whose scores no file compresses."""
    values = np.random.default_rng(0).normal(size=d)
    return px.Explanation(
        values=values,
        standard_errors=values,
        base_values=np.float64(0),
        predictions=np.float64(1),
        data=values,
        feature_names=tuple(f"x{i}" for i in range(d)),
        output_names=("output",),
        axes=("feature",),
        method="KernelShap",
        value_function="a baseline",
        n_rows=1,
        n_calls=1,
    )


@pytest.fixture(params=ENDINGS)
def old(request: Any, tmp_path: Path) -> Path:
    """A file that is there already, with other content."""
    path = tmp_path / f"result{request.param}"
    path.write_bytes(b"what was there before")
    return path


def assert_untouched(old: Path) -> None:
    """The file is as it was, and nothing was left beside it."""
    assert old.read_bytes() == b"what was there before"
    assert os.listdir(old.parent) == [old.name]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    old: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever call of the system it is that finds no space; the error is about the path."""

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "write":
        real = os.open

        def open_full(path: Any, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                real(path, flags, mode)
                return real("/dev/full", os.O_WRONLY)
            return real(path, flags, mode)

        if not Path("/dev/full").exists():
            pytest.skip("there is no /dev/full here")
        monkeypatch.setattr(os, "open", open_full)
    else:
        monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left") as caught:
        explanation().save(old)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(old)
    assert_untouched(old)


def _in_a_fork(function: Callable[[], Any]) -> int:
    """What a forked process ends with: 0, or the errno of what it raised, or minus a signal."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@in_a_fork
def test_a_limit_on_file_sizes_leaves_the_old_file(old: Path) -> None:
    """A real limit of the system, as of a quota: half of the new file is no file."""

    def save() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        explanation().save(old)

    assert _in_a_fork(save) == errno.EFBIG
    assert_untouched(old)


class Killed:
    """A file at whose first write the process is killed, halfway."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> Killed:
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


@in_a_fork
def test_a_killed_process_leaves_the_old_file(old: Path) -> None:
    """SIGKILL when half of the new content has been written."""
    real = builtins.open

    def save() -> None:
        builtins.open = lambda *args, **keywords: Killed(real(*args, **keywords))  # type: ignore
        explanation().save(old)

    assert _in_a_fork(save) == -signal.SIGKILL
    assert old.read_bytes() == b"what was there before"
    assert len(os.listdir(old.parent)) == 2


def test_an_interrupted_save_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control-C while the disk is busy."""

    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explanation().save(old)
    assert_untouched(old)


@not_on_windows
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_stays(old: Path, mode: int) -> None:
    """A private file stays private, a shared one shared."""
    old.chmod(mode)
    explanation().save(old)
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert len(px.load(old).values) == 200


@not_on_windows
def test_a_new_file_is_private(tmp_path: Path) -> None:
    """It holds rows of data, so that only its owner can read it, whatever the umask."""
    mask = os.umask(0)
    try:
        explanation().save(tmp_path / "x.json")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o600


@not_on_windows
@pytest.mark.parametrize("ending", ENDINGS)
def test_links_that_leave_the_folder_are_not_read(tmp_path: Path, ending: str) -> None:
    """Whatever they point to; one within the folder is a second name."""
    (tmp_path / "here").mkdir()
    inside, outside = tmp_path / "here" / f"x{ending}", tmp_path / f"x{ending}"
    for path in (inside, outside):
        explanation().save(path)
    link = tmp_path / "here" / f"link{ending}"
    link.symlink_to(outside)
    with pytest.raises(InvalidParameterError, match="points to"):
        px.load(link)
    link.unlink()
    link.symlink_to(inside.name)
    assert len(px.load(link).values) == 200


@not_on_windows
def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe would be waited for, and a device has no end."""
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(InvalidParameterError, match="must be a file"):
        px.load(tmp_path / "x.json")
    (tmp_path / "y.json").symlink_to("/dev/zero")
    with pytest.raises(InvalidParameterError, match="points to"):
        px.load(tmp_path / "y.json")


@not_on_windows
def test_a_link_stays_a_link(old: Path, tmp_path: Path) -> None:
    """The file that it points to is replaced, also where that is not there yet."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for target in (old.rename(folder / old.name), folder / f"new{old.suffix}"):
        link = tmp_path / f"link to {target.name}"
        link.symlink_to(target)
        explanation().save(link)
        assert link.is_symlink()
        assert not target.is_symlink()
        assert len(px.load(target).values) == 200
    assert len(os.listdir(folder)) == 2


@not_on_windows
def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """What is no file is written to, and stays what it is."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    link = tmp_path / "x.npz"
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        explanation().save(link)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@in_a_fork
@pytest.mark.parametrize(("what", "mode"), [("file", 0o444), ("folder", 0o555)])
def test_permission_that_is_missing_leaves_the_old_file(old: Path, what: str, mode: int) -> None:
    """A file that must not be written, or in a folder that must not be, is not replaced."""
    (old if what == "file" else old.parent).chmod(mode)

    def save() -> None:
        os.chdir(old.parent)
        if os.getuid() == 0:  # whom nothing is forbidden
            os.setuid(65534)
        explanation().save(old.name)

    try:
        assert _in_a_fork(save) == errno.EACCES
    finally:
        old.parent.chmod(0o755)
    assert_untouched(old)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is a path in a folder that is not there."""
    (tmp_path / "x.json").mkdir()
    with pytest.raises((IsADirectoryError, PermissionError)):
        explanation().save(tmp_path / "x.json")
    with pytest.raises(FileNotFoundError, match="none"):
        explanation().save(tmp_path / "none" / "x.json")
    assert os.listdir(tmp_path) == ["x.json"]
