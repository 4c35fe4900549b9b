"""Texts or lists that a masker of pieces has checked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perturbx.errors import InvalidParameterError
from perturbx.features import Spans
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Instances


class FittedPieces(FittedMasker):
    """A fitted masker of pieces: each instance has its own features."""

    @abstractmethod
    def batch(self, X: Sequence[Any], layout: Any) -> Any:
        """Copies of instances, as ``predict_fn`` gets them."""

    @abstractmethod
    def bound(self, instance: Any, spans: Spans, layout: Any) -> BoundMasker:
        """The masker bound to one instance."""


@dataclass(frozen=True, eq=False)
class PieceInstances(Instances):
    """Checked instances and their pieces; bound one at a time, since they differ in number."""

    masker: FittedPieces
    X: Sequence[Any]
    spans: Sequence[Spans]
    single: bool
    layout: Any = None
    chunk = 1

    def __len__(self) -> int:
        return len(self.X)

    def take(self, start: int, stop: int) -> Any:
        return self.masker.batch(self.X[start:stop], self.layout)

    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        own = zip(self.X[start:stop], self.spans[start:stop], strict=True)
        return [self.masker.bound(instance, spans, self.layout) for instance, spans in own]


def check_no_columns(features: Features, cure: str) -> None:
    """Refuse names and groups of columns."""
    for name, value in (("feature_names", features.names), ("groups", features.groups)):
        if value is not None:
            raise InvalidParameterError(
                f"{name} must be None for texts and lists: it refers to columns, and the features "
                f"here are pieces. {cure}"
            )
