"""Many chunks of instances: one explanation each, in memory or in files that a run goes on with."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from perturbx._validation import check_choice, invalid, needed
from perturbx.errors import InvalidInputError, PerturbxError
from perturbx.explainers._notes import INTERRUPTED, failures_of
from perturbx.explainers._parts import PartFormat, Parts
from perturbx.result import Explanation


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
            `perturbx.concat` joins several. With ``on_error="partial"``, the explanation that
            Ctrl-C cut short is the last.

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
        file's name tells the content of its chunk, the settings, what `fit` has learned and the
        model's first answers, and files of others are refused. With ``on_error="partial"``, files
        of explanations that were cut short are named "partial" and made again by the next call,
        and Ctrl-C ends the call after the chunk at hand.

        Parameters
        ----------
        folder : path
            Made if there is none.
        chunks : iterable
            As for `explain_iter`. With an integer as `random_state`, an interrupted run gives the
            same numbers.
        format : "npz", "parquet" or "jsonl"
            "npz": `perturbx.load` reads a part. "parquet": tidy tables, as by
            `Explanation.to_frame`, which ``pd.read_parquet(folder)`` reads as one; data of mixed
            types become text. It needs pyarrow. "jsonl": a line of JSON for each instance, as by
            `Explanation.to_jsonl`. Both number instances through all chunks.

        Returns
        -------
        list of Path
            The files in the order of the chunks.

        Raises
        ------
        InvalidParameterError
            If the folder has files of other chunks, settings, models or data of fit, or cannot be
            made.
        OSError
            If a file cannot be written, as on a full disk; those before it are whole.
        ImportError
            If `format` needs a library that is not there.
        """
        self._check_parameters()
        return write_parts(self, folder, chunks, format)


def explanations(explain: Callable[[Any], Explanation], chunks: Any) -> Iterator[Explanation]:
    """The explanation of each chunk, up to one that was interrupted."""
    for i, chunk in enumerate(_checked(chunks)):
        with _about(i):
            explanation = explain(chunk)
        yield explanation
        if _was_interrupted(explanation):
            return


def write_parts(
    explainer: Any, folder: str | os.PathLike[str], chunks: Any, kind: PartFormat
) -> list[Path]:
    """Write the explanation of each chunk to a file, unless that is there already."""
    check_choice("format", kind, get_args(PartFormat))
    if kind == "parquet":
        needed("pyarrow", 'format="parquet"', "pyarrow")
        needed("pandas", 'format="parquet"', "pandas")
    parts = Parts(explainer, folder, kind)
    paths: list[Path] = []
    start = 0
    for i, chunk in enumerate(_checked(chunks)):
        with _about(i):
            n = _n_instances(explainer, chunk)
            part = parts.of(i, chunk)
            explanation = None if part.is_done else explainer.explain(chunk)
        if explanation is None:
            paths.append(part.path)
        else:
            paths.append(part.written(explanation, start, not failures_of(explanation)))
            if _was_interrupted(explanation):
                break
        start += n
    return paths


@contextmanager
def _about(i: int) -> Iterator[None]:
    """Errors that say which chunk they are about."""
    try:
        yield
    except PerturbxError as error:
        error.args = (f"Chunk {i} (from 0): {error}", *error.args[1:])
        raise


def _n_instances(explainer: Any, chunk: Any) -> int:
    own = copy.copy(explainer)
    own.random_state = copy.deepcopy(explainer.random_state)
    return len(own._fitted(chunk)[0].check(chunk))


def _was_interrupted(explanation: Explanation) -> bool:
    return any(text.endswith(INTERRUPTED) for text in failures_of(explanation))


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
