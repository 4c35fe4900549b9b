"""Many chunks of instances: one explanation each, in memory or in files that a run goes on with."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import check_choice, invalid, needed
from perturbx.containers import digests_of
from perturbx.errors import InvalidInputError, InvalidParameterError, PerturbxError
from perturbx.explainers._provenance import plain
from perturbx.result import Explanation

PartFormat: TypeAlias = Literal["npz", "parquet", "jsonl"]

_WITHOUT_EFFECT = {
    *("predict_fn", "batch_size", "n_jobs", "verbose", "archive", "retries", "retry_on", "timeout"),
    "max_memory",
}
"""Parameters that no score depends on."""


class InChunks:
    """What explains can do so chunk by chunk, for more instances than fit into memory."""

    @abstractmethod
    def explain(self, X: Any) -> Explanation:
        """Scores of every feature of every instance in X."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Refuse settings that cannot have their value."""

    def explain_iter(self, chunks: Iterable[Any]) -> Iterator[Explanation]:
        """The explanation of each chunk of instances in turn, so that memory stays flat.

        Parameters
        ----------
        chunks : iterable
            Each as for `explain`: ``np.array_split(X, 100)``, a generator, or
            ``pd.read_csv(path, chunksize=1000)``. Set a budget: without one, it may depend on how
            many instances are in a chunk.

        Yields
        ------
        Explanation
            `perturbx.concat` joins several.

        Raises
        ------
        InvalidParameterError, InvalidInputError
            If `chunks` is not iterable, or is a single table.
        PerturbxError
            As `explain`; the error says which chunk it is about.
        """
        return explanations(self.explain, chunks)

    def explain_to(
        self,
        folder: str | os.PathLike[str],
        chunks: Iterable[Any],
        *,
        format: PartFormat = "npz",
    ) -> list[Path]:
        """Write the explanation of each chunk to a file of its own, as soon as it is done.

        The same call goes on where an earlier one ended: chunks that have a file are skipped. A
        file's name tells the content of its chunk and the settings, and others are refused.

        Parameters
        ----------
        folder : path
            Made if there is none.
        chunks : iterable
            As for `explain_iter`. With a `random_state` an interrupted run gives the same numbers.
        format : "npz", "parquet" or "jsonl"
            "npz": `perturbx.load` reads a part. "parquet": tidy tables, as by
            `Explanation.to_frame`, which ``pd.read_parquet(folder)`` reads as one; data of mixed
            types become text. It needs pyarrow. "jsonl": a line of JSON for each instance, as by
            `Explanation.to_jsonl`, numbered through all chunks.

        Returns
        -------
        list of Path
            The files in the order of the chunks.

        Raises
        ------
        InvalidParameterError
            If the folder has parts of other chunks or settings, or cannot be made.
        ImportError
            If `format` needs a library that is not there.
        """
        self._check_parameters()
        return write_parts(self, folder, chunks, format)


def explanations(explain: Callable[[Any], Explanation], chunks: Any) -> Iterator[Explanation]:
    """The explanation of each chunk; an error says which chunk it is about."""
    for i, chunk in enumerate(_checked(chunks)):
        try:
            explanation = explain(chunk)
        except PerturbxError as error:
            error.args = (f"Chunk {i} (from 0): {error}", *error.args[1:])
            raise
        yield explanation


def write_parts(
    explainer: Any, folder: str | os.PathLike[str], chunks: Any, kind: PartFormat
) -> list[Path]:
    """Write the explanation of each chunk to a file, unless that is there already."""
    check_choice("format", kind, get_args(PartFormat))
    if kind == "parquet":
        needed("pyarrow", 'format="parquet"', "pyarrow")
        needed("pandas", 'format="parquet"', "pandas")
    place = _folder(folder)
    settings = _settings(explainer)
    paths: list[Path] = []
    starts = [0]

    def unwritten() -> Iterator[Any]:
        """The chunks without a file, each after its path."""
        for i, chunk in enumerate(_checked(chunks)):
            digests = digests_of(chunk)
            starts.append(starts[-1] + len(digests))
            path = _path(place, i, digests, settings, kind)
            if path.is_symlink():
                raise InvalidParameterError(
                    f"{str(path)!r} is a link, to {os.path.realpath(path)!r}: remove it, or pass "
                    "another folder."
                )
            paths.append(path)
            if not path.exists():
                yield chunk

    for explanation in explanations(explainer.explain, unwritten()):
        if kind == "npz":
            explanation.save(paths[-1])
        elif kind == "jsonl":
            explanation.to_jsonl(paths[-1], start=starts[-2])
        else:
            _save_parquet(explanation, paths[-1])
    return paths


def _checked(chunks: Any) -> Iterable[Any]:
    """`chunks`, unless it is a single table, whose rows would be taken for chunks."""
    if isinstance(chunks, (str, bytes)) or not isinstance(chunks, Iterable):
        raise invalid("chunks", "an iterable of tables, such as np.array_split(X, 10)", chunks)
    if len(getattr(chunks, "shape", ())) == 2:
        raise InvalidInputError(
            f"chunks must be an iterable of tables; got one {type(chunks).__name__}: pass "
            "np.array_split(X, 10), a generator, or pd.read_csv(path, chunksize=1000)."
        )
    return chunks


def _folder(folder: str | os.PathLike[str]) -> Path:
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
    """What the scores depend on besides the data and the model, as text."""
    names = sorted({f.name for f in fields(explainer)} - _WITHOUT_EFFECT)
    said = [(name, plain(getattr(explainer, name))) for name in names]
    return repr((type(explainer).__name__, said)).encode()


def _path(
    place: Path, i: int, digests: NDArray[np.uint8], settings: bytes, kind: PartFormat
) -> Path:
    """The file of a chunk, whose name tells its content and the settings."""
    content = blake2b(settings, digest_size=6)
    content.update(np.ascontiguousarray(digests).tobytes())
    path = place / f"part-{i:06d}-{content.hexdigest()}.{kind}"
    others = [p for p in place.glob(f"part-{i:06d}-*.{kind}") if p != path]
    if others:
        raise InvalidParameterError(
            f"Chunk {i} (from 0) or a setting is not what {str(others[0])!r} was written for: pass "
            "the same chunks and settings to go on, or another folder."
        )
    return path


def _save_parquet(explanation: Explanation, path: Path) -> None:
    """The tidy frame of an explanation; data of mixed types become text."""
    frame = explanation.to_frame()
    if frame["data"].dtype == object:
        missing = frame["data"].isna()
        kinds = set(map(type, frame["data"][~missing]))
        if len(kinds) > 1:
            frame["data"] = frame["data"].astype(str).where(~missing, None)
    new = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        frame.to_parquet(new, engine="pyarrow", index=False)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
