"""Groups of columns as features, and how users name columns and features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx._validation import distinct_names, shown
from perturbx.errors import InvalidParameterError


class Labels:
    """Finds columns or features by label, by name, or by position.

    A label takes precedence. An integer is a position only if no label is an integer and no name
    prints like it.
    """

    def __init__(self, labels: Sequence[Any], names: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._by_label = {(_is_bool(label), label): j for j, label in enumerate(labels)}
        self._by_name = {name: j for j, name in enumerate(names)}
        self._has_integers = any(isinstance(label, (int, np.integer)) for label in labels)

    def position(self, label: Any, unknown: str) -> int:
        """The position of the column or feature that a user names.

        Raises
        ------
        InvalidParameterError
            If there is none. The message is `unknown`, then the label.
        """
        try:
            found = self._by_label.get((_is_bool(label), label))
        except TypeError:  # an unhashable label
            found = None
        if found is None and isinstance(label, str):
            found = self._by_name.get(label)
        if found is not None:
            return found
        cure = ""
        is_integer = isinstance(label, (int, np.integer)) and not _is_bool(label)
        if is_integer and 0 <= label < len(self.labels):
            if not self._has_integers and self._by_name.get(str(label), label) == label:
                return int(label)
            cure = f" Position {label} is labeled {self.labels[int(label)]!r}: pass that label."
        known, more = list(self.labels[:10]), len(self.labels) - 10
        rest = f" and {more} more" * (more > 0)
        raise InvalidParameterError(f"{unknown} {shown(label)}; there are {known}{rest}.{cure}")

    def positions(self, columns: Any, unknown: str, what: str, noun: str = "columns") -> list[int]:
        """The positions of one column, or of a list of columns.

        Raises
        ------
        InvalidParameterError
            If there is no such column (`unknown` begins the message), or if `what`, which the
            user passed, is not a list of columns.
        """
        is_label = isinstance(columns, (str, int, np.integer)) or (
            isinstance(columns, tuple) and columns in self.labels
        )
        if not is_label and (not isinstance(columns, Iterable) or getattr(columns, "ndim", 1) != 1):
            raise InvalidParameterError(f"{what} must be a list of {noun}; got {shown(columns)}.")
        members = [columns] if is_label else columns
        return [self.position(member, unknown) for member in members]


def _is_bool(label: Any) -> bool:
    return isinstance(label, (bool, np.bool_))


@dataclass(frozen=True, eq=False)
class Columns:
    """The feature of each column.

    Parameters
    ----------
    names : tuple of str
        The d features' names.
    feature_of : (n_columns,) int array
        The feature of each column.
    labels : tuple
        The user's own labels of the features: their names, or the labels of a frame, of any type.
    """

    names: tuple[str, ...]
    feature_of: Ints
    labels: tuple[Any, ...]

    @classmethod
    def grouped(
        cls, names: tuple[str, ...], labels: tuple[Any, ...], groups: Mapping[str, Any] | None
    ) -> Columns:
        """The columns of a table, or the user's groups of them, as features.

        Raises
        ------
        InvalidParameterError
            If the groups overlap, leave out a column, or name one that is not there.
        """
        if groups is None:
            return cls(names, np.arange(len(names)), labels)
        feature_of = np.full(len(names), -1)
        known = Labels(labels, names)
        for j, (name, members) in enumerate(groups.items()):
            for column in known.positions(members, "groups: X has no column", f"groups: {name!r}"):
                if feature_of[column] >= 0:
                    raise InvalidParameterError(
                        f"groups overlap: column {labels[column]!r} is in "
                        f"{list(groups)[feature_of[column]]!r} and in {name!r}."
                    )
                feature_of[column] = j
            if not (feature_of == j).any():
                raise InvalidParameterError(f"groups: {name!r} holds no column.")
        left_out = [labels[c] for c in np.flatnonzero(feature_of < 0)]
        if left_out:
            raise InvalidParameterError(
                f"groups leaves out {len(left_out)} columns, {left_out[:5]} first: every column "
                "must be in one group, alone if need be, as in "
                f"{left_out[0]!r}: [{left_out[0]!r}]."
            )
        return cls(distinct_names("groups", groups), feature_of, tuple(groups))

    @cached_property
    def is_plain(self) -> bool:
        """True if feature j is column j."""
        return np.array_equal(self.feature_of, np.arange(len(self.names)))

    def of(self, z: NDArray[Any]) -> NDArray[Any]:
        """(m, d) by feature to (m, n_columns) by column."""
        return z if self.is_plain else z[:, self.feature_of]

    def shown(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows of values (n, n_columns) with one value per feature, as an explanation shows them.

        A group of several columns shows their values, separated by commas.
        """
        if self.is_plain:
            return values
        out = np.empty((len(values), len(self.names)), dtype=object)
        for j in range(len(self.names)):
            members = np.flatnonzero(self.feature_of == j)
            for i, row in enumerate(values[:, members]):
                texts = (f"{v:.6g}" if isinstance(v, float) else str(v) for v in row)
                out[i, j] = row[0] if len(members) == 1 else ", ".join(texts)
        return out
