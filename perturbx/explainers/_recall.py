"""What a file tells of the model that was explained, and whether another one is the same."""

from __future__ import annotations

from typing import Any

from perturbx.archive import Archive
from perturbx.errors import PredictFnError
from perturbx.predictor import Patience, Predictor


def about(predictor: Predictor | None, archive: Any) -> dict[str, Any] | None:
    """What is known of a model, and the name of its version if an archive has one."""
    if predictor is None:
        return None
    return {"version": None if archive is None else Archive.at(archive).model, **predictor.known()}


def recalled(
    predict_fn: Any,
    rows: Any,
    told: dict[str, Any] | None,
    archive: Any,
    patience: Patience,
) -> Predictor | None:
    """The predictor of a model of which `about` told; None if it had not been asked.

    Raises
    ------
    PredictFnError
        If the archive names another version, or without names, if the model answers the `rows`
        that it was first asked about otherwise.
    """
    if told is None:
        return None
    given = None if archive is None else Archive.at(archive)
    then, now = told.pop("version"), None if given is None else given.model
    if then is not None and now is not None and then != now:
        raise PredictFnError(
            f"The explainer was fitted to the model {then!r}, and archive= is of {now!r}: pass the "
            "archive of that model, or fit the explainer again."
        )
    predictor = Predictor.recalled(predict_fn, told, given, patience)
    if (then is None or now is None) and not predictor.varies:
        predictor.check_same(rows)
    return predictor
