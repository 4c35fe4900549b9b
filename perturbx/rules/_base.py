"""What methods whose answers are no scores share: settings, how the model is asked, and copies."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sklearn.base import BaseEstimator

from perturbx._docstrings import ASKING
from perturbx._typing import PredictFn, RandomState
from perturbx._validation import check_integer, check_keywords, check_names
from perturbx.archive import Archive, ArchiveLike
from perturbx.errors import UnknownParameterError
from perturbx.game import probe
from perturbx.maskers import Instances
from perturbx.predictor import Patience, Predictor, RetryOn, resolve
from perturbx.storage import Saved


@dataclass(eq=False, repr=False)
class BaseRule(BaseEstimator, Saved):
    """A method around one ``predict_fn``.

    A subclass is a dataclass (``eq=False, repr=False``) that adds its settings, and ``{asking}`` to
    its docstring for those by which the model is asked.
    """

    predict_fn: PredictFn | Any
    output_names: Sequence[str] | None = field(default=None, kw_only=True)
    batch_size: int | None = field(default=None, kw_only=True)
    archive: ArchiveLike | None = field(default=None, kw_only=True)
    retries: int = field(default=0, kw_only=True)
    retry_on: RetryOn = field(default=Exception, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    random_state: RandomState = field(default=None, kw_only=True)

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        check_keywords(cls, keywords)
        if len(args) > 1:
            raise UnknownParameterError(
                f"{cls.__name__} takes predict_fn alone by position, and got {len(args)} "
                "arguments: pass data to fit(X), and everything else by keyword."
            )
        return super().__new__(cls)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__doc__ = (cls.__doc__ or "").replace("{asking}", ASKING)

    def __sklearn_clone__(self) -> Any:
        """An unfitted copy that asks the same model; a clone of a model would not be trained."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        function = given.pop("predict_fn")
        return type(self)(function, **copy.deepcopy(given))

    def _probe(self, instances: Instances, *, warns: bool = True) -> Predictor:
        """The model, once it has answered the first rows."""
        archive = None if self.archive is None else Archive.at(self.archive)
        patience = Patience(self.retries, self.retry_on, self.timeout)
        found = probe(
            *(self.predict_fn, instances, self.output_names, self.batch_size, warns),
            *(archive, patience),
        )
        return found.numbered()

    def _check_parameters(self) -> None:
        """Refuse settings that cannot have their value."""
        resolve(self.predict_fn)
        if self.batch_size is not None:
            check_integer("batch_size", self.batch_size, minimum=1)
        if self.output_names is not None:
            check_names("output_names", self.output_names)
        if self.archive is not None:
            Archive.at(self.archive)
        Patience(self.retries, self.retry_on, self.timeout)
