"""Explainers and rules in a file: settings, what fit has learned, and how to know the model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from hashlib import blake2b
from typing import Any, ClassVar

from numpy.typing import NDArray

from perturbx._validation import check_list, shown
from perturbx._version import __version__
from perturbx.errors import InvalidParameterError, UnknownParameterError
from perturbx.result import storage
from perturbx.storage.objects import Reader, Writer, is_part, name_of

_VERSION = 1

_HERE = ("archive", "batch_size", "max_memory", "n_jobs", "on_error", "retries", "retry_on")
"""Settings of the machine, which may be passed anew when a file is loaded, with `_HERE_TOO`."""

_HERE_TOO = ("timeout", "verbose")


class Saved:
    """What can be saved: a dataclass whose first field is a user's function.

    Attributes that end in an underscore are what `fit` has learned, and are saved too, but for
    those in `remade`.
    """

    remade: ClassVar[tuple[str, ...]] = ()
    """What `_restored` makes again, once the function is known."""

    kinds: ClassVar[dict[str, type[Saved]]] = {}
    """Every class that can be loaded, by its name."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        Saved.kinds[name_of(cls)] = cls

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the settings and what `fit` has learned; `perturbx.load_explainer` reads them.

        Nothing is pickled, and the model is not in the file. A loaded explainer gives the same
        bits. An existing file is replaced only when all of the new one is on the disk; a new one
        can be read by its owner alone, since it holds rows of data.

        Parameters
        ----------
        path : path
            Ends in .npz, or in .json, which other languages read.

        Raises
        ------
        InvalidParameterError
            If something in it would not come back as it is; nothing is written.
        """
        arrays = storage.arrays_for(path)
        try:
            storage.write_content(path, {"explainer": _content(self, arrays)}, arrays)
        except RecursionError as error:
            raise InvalidParameterError(
                f"{type(self).__name__} cannot be saved: one of its settings holds itself."
            ) from error

    def digest_of_fit(self) -> bytes:
        """What `fit` has learned, as one number; b"" if that cannot be saved."""
        arrays: dict[str, NDArray[Any]] = {}
        writer = Writer(arrays)
        names = sorted(set(_learned(self)) - {"fit_random_state_"})  # without a seed another each
        try:
            learned = [[name, writer.value(getattr(self, name), name)] for name in names]
        except InvalidParameterError:
            return b""
        found = blake2b(json.dumps([learned, writer.objects]).encode(), digest_size=16)
        for name, array in arrays.items():
            found.update(f"{name} {array.dtype.str} {array.shape}".encode())
            found.update(array.tobytes())  # dates have no buffer
        return found.digest()

    def _about_model(self) -> dict[str, Any] | None:
        """What is known of the model, as plain values and rows; None if it was not asked."""
        return None

    def _restored(self, about_model: dict[str, Any] | None) -> None:
        """Make what is in `remade`, from what `_about_model` told.

        Raises
        ------
        PredictFnError
            If the function is not the one that it told of.
        """


def load_explainer(
    path: str | os.PathLike[str],
    predict_fn: Any,
    *,
    parts: Iterable[type] = (),
    **settings: Any,
) -> Any:
    """An explainer or a rule that was saved, with the model that it explains.

    Code in the file is never run: it may come from anyone. Check what it says before you trust
    its scores, all the same, since they are those of the background rows in it.

    Parameters
    ----------
    path : path
        What `save` wrote.
    predict_fn : callable or fitted model
        The model, or what the first parameter of the explainer was. The rows by which `fit` got
        to know it, at most two, are asked again, and changed answers are refused. Where the
        explainer had an `archive` with a name of the model, and gets one, the names must agree
        instead, and no row is asked.
    parts : list of classes
        Your own maskers, samplers and solvers in it, which must be frozen dataclasses.
    **settings
        Functions and other objects of yours that no file can hold, by the name of their setting,
        such as ``fill`` of `Tokens` or ``loss`` of `Sage`; the error names those that are missing.
        Also settings of the machine, of which `archive` is never in the file: ``archive``,
        ``batch_size``, ``max_memory``, ``n_jobs``, ``on_error``, ``retries``, ``retry_on``,
        ``timeout`` and ``verbose``.

    Returns
    -------
    BaseExplainer or BaseRule
        Of the class that was saved.

    Raises
    ------
    InvalidParameterError
        If the file is another one, or damaged; if a function or a class is missing.
    UnknownParameterError
        If `settings` has a name that the file does not ask for.
    PredictFnError
        If the model answers differently than the one that was explained.

    Examples
    --------
    >>> import tempfile, numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> model = lambda X: X[:, 0] - X[:, 1]
    >>> explainer = px.KernelShap(model, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     explainer.save(f"{folder}/explainer.npz")
    ...     loaded = px.load_explainer(f"{folder}/explainer.npz", model)
    >>> bool((loaded.explain(X[:2]).values == explainer.explain(X[:2]).values).all())
    True
    """
    known = {name_of(kind): kind for kind in _checked_parts(parts)}

    def made_of(content: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
        if "fields" in content:
            raise InvalidParameterError(
                f"{os.fspath(path)!r} holds an explanation: read it by px.load."
            )
        return _made(content["explainer"], arrays, predict_fn, known, settings)

    return storage.read_content(path, made_of, _not_saved_here)


def _content(saved: Saved, arrays: dict[str, NDArray[Any]] | None) -> dict[str, Any]:
    kind: Any = type(saved)
    writer, name = Writer(arrays), kind.__name__
    function, *others = (f.name for f in fields(kind))
    kept = [other for other in others if other != "archive"]
    learned = _learned(saved)
    content = {
        "version": _VERSION,
        "by": __version__,
        "kind": name_of(kind),
        "function": function,
        "settings": writer.settings(saved, kept, name),
        "learned": {n: writer.value(v, f"{name}.{n}") for n, v in learned.items()},
        "model": writer.value(saved._about_model(), f"{name}: the rows of fit"),
    }
    return {**content, "objects": writer.objects, "given": writer.given}


def _learned(saved: Saved) -> dict[str, Any]:
    return {n: v for n, v in vars(saved).items() if n.endswith("_") and n not in saved.remade}


def _made(
    content: dict[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    predict_fn: Any,
    parts: dict[str, type],
    settings: dict[str, Any],
) -> Saved:
    if content["version"] != _VERSION:
        raise InvalidParameterError(
            f"The explainer was saved by perturbx {content['by']}, in another format than that of "
            f"{__version__}: load it by that version, or fit and save it again."
        )
    kind: Any = {**Saved.kinds, **parts}.get(content["kind"])
    if kind is None or not issubclass(kind, Saved):
        raise InvalidParameterError(
            f"The file holds a {shown(content['kind'])}, which perturbx {__version__} does not "
            f"have; it was saved by {shown(content['by'])}. A class of yours: pass it in parts=."
        )
    here = {*_HERE, *_HERE_TOO} & {f.name for f in fields(kind)}
    _check_given(settings, dict(content["given"]), here)
    if "archive" in content["settings"]:
        raise ValueError("a place on another machine")
    reader = Reader(arrays, parts, settings)
    try:
        reader.read(content["objects"])
        own = {name: reader.value(value) for name, value in content["settings"].items()}
        own.update({name: value for name, value in settings.items() if name in here})
        saved: Saved = kind(predict_fn, **own)
    except TypeError as error:
        if content["by"] == __version__:
            raise
        raise InvalidParameterError(
            f"The explainer was saved by perturbx {content['by']}, whose settings differ from "
            f"those of {__version__} ({error}): load it by that version, or fit and save it again."
        ) from error
    learned = {name: reader.value(value) for name, value in content["learned"].items()}
    if any(not name.endswith("_") or name.startswith("_") for name in learned):
        raise ValueError("something that no fit has learned")
    vars(saved).update(learned)
    saved._restored(reader.value(content["model"]))
    return saved


def _check_given(settings: dict[str, Any], asked: dict[str, str], here: set[str]) -> None:
    unknown = sorted(set(settings) - set(asked) - here)
    if unknown:
        also = f", and of the machine {', '.join(sorted(here))}" if here else ""
        raise UnknownParameterError(
            f"load_explainer has no setting {unknown[0]!r} for this file: it asks for "
            f"{', '.join(map(repr, asked)) or 'no function'}{also}. Change other settings by "
            "set_params afterwards."
        )
    missing = [name for name in asked if name not in settings]
    if missing:
        said = "; ".join(shown(asked[name]) for name in missing)
        again = ", ".join(f"{name}=..." for name in missing)
        raise InvalidParameterError(
            f"The explainer had objects of yours that no file can hold ({said}): pass them again, "
            f"as in load_explainer(path, predict_fn, {again})."
        )


def _checked_parts(parts: Any) -> list[type]:
    given = check_list("parts", parts, "classes") if parts != () else []
    for kind in given:
        if not (isinstance(kind, type) and (is_part(kind) or issubclass(kind, Saved))):
            raise InvalidParameterError(
                f"parts must be a list of frozen dataclasses, as in [MyMasker]; got {shown(kind)}."
            )
    return given


def _not_saved_here(path: str | os.PathLike[str]) -> InvalidParameterError:
    return InvalidParameterError(
        f"path must be a file that the save of an explainer wrote: {os.fspath(path)!r} is another "
        "file, or damaged."
    )
