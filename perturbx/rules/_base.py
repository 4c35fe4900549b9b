"""What methods whose answers are no scores share: settings by keyword, and copies."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from sklearn.base import BaseEstimator

from perturbx._validation import check_keywords
from perturbx.errors import UnknownParameterError


class BaseRule(BaseEstimator):
    """A method around one ``predict_fn``: a dataclass (``eq=False, repr=False``) of settings."""

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        check_keywords(cls, keywords)
        if len(args) > 1:
            raise UnknownParameterError(
                f"{cls.__name__} takes predict_fn alone by position, and got {len(args)} "
                "arguments: pass data to fit(X), and everything else by keyword."
            )
        return super().__new__(cls)

    def __sklearn_clone__(self) -> Any:
        """An unfitted copy that asks the same model; a clone of a model would not be trained."""
        settings: Any = fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        given = {f.name: getattr(self, f.name) for f in settings}
        function = given.pop("predict_fn")
        return type(self)(function, **copy.deepcopy(given))  # type: ignore[call-arg]
