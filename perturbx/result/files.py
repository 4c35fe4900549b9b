"""A file that is replaced as a whole, or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`; until all of it is on the disk, the file that was there stays.

    It is written to a new file beside the old one, which then takes its name. A symbolic link
    stays a link, and the file that it points to is replaced. Mode and owner stay as they were.

    Raises
    ------
    OSError
        What the system says, such as that the disk is full, about `path`.
    """
    target = Path(os.path.realpath(path))
    try:
        old = target.stat() if target.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            # A pipe or a device is no file that could be replaced.
            target.write_bytes(content)
            return
        if old is not None:
            # A file that must not be written must not be replaced either.
            os.close(os.open(target, os.O_WRONLY))
        _write_beside(target, content, old)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def _write_beside(target: Path, content: bytes, old: os.stat_result | None) -> None:
    new = target.with_name(f".{os.urandom(8).hex()}.tmp")
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode)
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            _take_over(new, old)
        os.replace(new, target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _take_over(new: Path, old: os.stat_result) -> None:
    """Owner and mode of the file that is replaced, as far as the user may set them."""
    if hasattr(os, "chown") and (new.stat().st_uid, new.stat().st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):
            os.chown(new, old.st_uid, old.st_gid)
    new.chmod(stat.S_IMODE(old.st_mode))
