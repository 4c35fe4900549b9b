"""The files of `explain_to`: one for each chunk, whose name tells what it was written for."""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from perturbx._validation import invalid
from perturbx.containers import digests_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers._provenance import plain
from perturbx.result import Explanation, storage

PartFormat: TypeAlias = Literal["npz", "parquet", "jsonl"]

_WITHOUT_EFFECT = {
    *("predict_fn", "batch_size", "n_jobs", "verbose", "archive", "retries", "retry_on", "timeout"),
    "max_memory",
}
"""Parameters that no score depends on."""

_NAME = re.compile(r"(part|partial)-(\d{6,})-([0-9a-f]{12})([0-9a-f]{16})")

_SAME = 1e-4
"""Answers of one model to the same rows may differ by this fraction of the largest at most."""


@dataclass(frozen=True)
class Part:
    """The file of a chunk.

    Parameters
    ----------
    path : Path
    is_done : bool
        True if it was written before. An explanation that was cut short is in a file named
        "partial", and is made again.
    """

    path: Path
    is_done: bool

    def written(self, explanation: Explanation, start: int, is_whole: bool) -> Path:
        """The file that was written; `start` is the number of the first instance."""
        partial = self.path.with_name(f"partial{self.path.name.removeprefix('part')}")
        path = self.path if is_whole else partial
        try:
            if path.suffix == ".npz":
                explanation.save(path)
            elif path.suffix == ".jsonl":
                explanation.to_jsonl(path, start=start)
            else:
                _save_parquet(explanation, path, start)
        except OSError as error:
            stays = "the files before it are whole, and the same call goes on after them"
            raise OSError(error.errno, f"{error.strerror}; {stays}", str(path)) from error
        if is_whole:
            partial.unlink(missing_ok=True)
        return path


class Parts:
    """The files of the chunks of one explainer in a folder.

    A name tells the number and the content of the chunk, the settings, what `fit` has learned, the
    version of the model, and a number made of its first answers, which may round differently.
    """

    def __init__(self, explainer: Any, folder: str | os.PathLike[str], kind: PartFormat) -> None:
        self._folder, self._kind = _made(folder), kind
        self._settings = _settings(explainer)
        self._answer, self._size = _first_answer(explainer)
        self._is_seeded = explainer.random_state is not None
        self._there: dict[int, list[Path]] = {}
        for path in self._folder.glob(f"part*-*.{kind}"):
            found = re.match(r"(?:part|partial)-(\d+)-", path.name)
            if found:
                self._there.setdefault(int(found[1]), []).append(path)

    def of(self, i: int, chunk: Any) -> Part:
        """The file of chunk i.

        Raises
        ------
        InvalidParameterError
            If the folder has one that was written for something else, or a link.
        """
        content = blake2b(self._settings, digest_size=6)
        content.update(np.ascontiguousarray(digests_of(chunk)).tobytes())
        own = content.hexdigest()
        for path in self._there.get(i, []):
            if path.is_symlink():
                raise InvalidParameterError(
                    f"{str(path)!r} is a link, to {os.path.realpath(path)!r}: remove it, or pass "
                    "another folder."
                )
            name = _NAME.fullmatch(path.stem)
            if name is None or name[3] != own or not self._is_answer(name[4]):
                raise self._of_something_else(path)
        whole = [path for path in self._there.get(i, []) if path.name.startswith("part-")]
        new = self._folder / f"part-{i:06d}-{own}{_hex(self._answer)}.{self._kind}"
        return Part(whole[0], True) if whole else Part(new, False)

    def _is_answer(self, told: str) -> bool:
        """Whether a part was made with answers such as ours, as far as they are known."""
        (then,) = struct.unpack(">d", bytes.fromhex(told))
        return not abs(then - self._answer) > _SAME * self._size  # NaN: nothing is known

    def _of_something_else(self, path: Path) -> InvalidParameterError:
        cure = "pass the same to go on, or another folder."
        if not self._is_seeded:
            cure += " Without a random_state, fit may draw another background each time."
        return InvalidParameterError(
            f"{str(path)!r} was written for another chunk, setting, model or data of fit: {cure}"
        )


def _made(folder: str | os.PathLike[str]) -> Path:
    if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
        raise invalid("folder", "a text or a path", folder)
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameterError(
            f"folder must be a folder, or a place for a new one: {str(place)!r} is neither "
            f"({error.strerror})."
        ) from error
    return place


def _settings(explainer: Any) -> bytes:
    """What the scores depend on besides the chunk and what the model answers."""
    names = sorted({f.name for f in fields(explainer)} - _WITHOUT_EFFECT)
    said = [(name, plain(getattr(explainer, name))) for name in names]
    version = getattr(explainer.archive, "model", None)
    told = type(explainer).__name__, said, version, explainer.digest_of_fit()
    return repr(told).encode()


def _first_answer(explainer: Any) -> tuple[float, float]:
    """A number made of the model's first answers, and their size; NaN if nothing is known."""
    predictor = vars(explainer).get("predictor_")
    if predictor is None or predictor.varies:
        return np.nan, 0.0
    answers = predictor.first_answers.ravel()
    weights = np.cos(np.arange(1.0, len(answers) + 1))
    return float(answers @ weights / np.abs(weights).sum()), float(np.abs(answers).max())


def _hex(number: float) -> str:
    return struct.pack(">d", number).hex()


def _save_parquet(explanation: Explanation, path: Path, start: int) -> None:
    """The tidy frame of an explanation; data of mixed types become text."""
    frame = explanation.to_frame()
    frame["instance"] += start
    if frame["data"].dtype == object:
        missing = frame["data"].isna()
        kinds = set(map(type, frame["data"][~missing]))
        if len(kinds) > 1:
            frame["data"] = frame["data"].astype(str).where(~missing, None)
    file = io.BytesIO()
    frame.to_parquet(file, engine="pyarrow", index=False)
    storage.replace_file(path, [file.getvalue()])
