"""The model of a command: an ONNX file, or a function in a module. Nothing is unpickled."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from perturbx._validation import did_you_mean, needed
from perturbx.archive import Archive
from perturbx.cli.columns import Kind
from perturbx.errors import InvalidInputError, InvalidParameterError, PredictFnError
from perturbx.predictor import resolve

_CURES = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".sav"), "skl2onnx.to_onnx(model, X)"),
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), "torch.onnx.export(module, inputs, path)"),
    **dict.fromkeys((".h5", ".keras", ".pb", ".tflite"), "tf2onnx"),
    ".py": "an exporter of its framework",
}


@dataclass(frozen=True, eq=False)
class Model:
    """A model that answers batches.

    Parameters
    ----------
    predict_fn : callable or fitted model
    name : str
        The file, or MODULE:NAME.
    network : OnnxNetwork or None
        The same, if it is an ONNX file.
    digest : str or None
        Of the file.
    """

    predict_fn: Any
    name: str
    network: Any = None
    digest: str | None = None

    def asked(self, **settings: Any) -> Model:
        """The same network with other settings; the digest is of the file and of all settings."""
        network = replace(self.network, **settings)
        content = Path(network.source).read_bytes()
        told = f"{network.output} {network.preprocess!r} {network.answer}".encode()
        digest = blake2b(content + told, digest_size=8).hexdigest()
        return Model(network, self.name, network, digest)

    def columns(self, names: Sequence[str]) -> dict[str, str | None] | None:
        """The column for each name that the model knows; None if it knows no names."""
        if self.network is not None:
            found: dict[str, str | None] = self.network.columns(names)
            return found
        fitted = getattr(self.predict_fn, "__self__", self.predict_fn)
        known = getattr(fitted, "feature_names_in_", None)
        if known is None:
            return None
        return {name: name if name in names else None for name in map(str, known)}

    def archive(self, chosen: argparse.Namespace) -> Archive | None:
        """Where answers are kept; those of another file, or made in another way, are not read."""
        version = chosen.model_version
        if chosen.archive is None:
            if version is not None:
                raise InvalidParameterError("--model-version needs --archive.")
            return None
        if version is None and self.digest is not None:
            version = f"{self.name} {self.digest}"
        return Archive(chosen.archive, model=version)


def load(chosen: argparse.Namespace, output_names: Sequence[str] | None = None) -> Model:
    """The model that the command names.

    Raises
    ------
    InvalidParameterError
        If there is no such model, or it cannot be opened.
    ImportError
        Without onnxruntime for an ONNX file.
    """
    if chosen.predict is not None:
        if chosen.activation != "auto":
            raise InvalidParameterError("--activation is for ONNX files: functions return scores.")
        return Model(_found(chosen.predict), chosen.predict)
    path: Path = chosen.model
    if path.suffix.lower() in _CURES:
        raise InvalidParameterError(
            f"{path.name} is not an ONNX file, and may run code when it is opened, so it is not. "
            f"Convert it with {_CURES[path.suffix.lower()]}, or write a function that loads it "
            "and pass --predict MODULE:NAME."
        )
    needed("onnxruntime", "--model", '"perturbx[cli]"')
    from perturbx.interop import from_onnx

    threads = 1 if chosen.n_jobs not in (None, 1) else None
    network = from_onnx(path, output=None, output_names=output_names, threads=threads)
    model = Model(network, path.name, network)
    return model.asked(output=None if chosen.activation in ("auto", "none") else chosen.activation)


def _found(text: str) -> Any:
    """The function or fitted model that MODULE:NAME names, from this folder or a package."""
    module_name, colon, name = text.partition(":")
    if not colon or not name or not module_name:
        example = f"{Path(text).stem}:predict" if text.endswith(".py") else "model:predict"
        raise InvalidParameterError(
            f"--predict must be MODULE:NAME, such as {example}: got {text!r}."
        )
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise InvalidParameterError(
            f"--predict takes a module, not a file: {dotted}:{name} for {module_name!r}."
        )
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    found = _imported(module_name)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [other for other in vars(found) if not other.startswith("_")]
            raise InvalidParameterError(
                f"--predict: {module_name!r} has no {part!r}{did_you_mean(part, public) or '.'}"
            )
        found = getattr(found, part)
    resolve(found)
    return found


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InvalidParameterError(
                f"--predict: there is no module {name!r} in {Path.cwd()} or among the installed "
                "packages."
            ) from error
        raise PredictFnError(f"--predict: {name!r} needs a module: {error}.") from error
    except Exception as error:
        raise PredictFnError(
            f"--predict: importing {name!r} raised {type(error).__name__}: {error}"
        ) from error


def kinds_of(model: Model) -> dict[str, Kind] | None:
    """What an ONNX file takes in each of its inputs; None of other models."""
    if model.network is None:
        return None
    return {entry.name: _kind(entry.type) for entry in model.network.session.get_inputs()}


def _kind(type_of_input: str) -> Kind:
    if "string" in type_of_input:
        return "text"
    return "number" if "float" in type_of_input or "double" in type_of_input else "integer"


def shape_of(model: Model) -> tuple[Any, ...] | None:
    """The shape of the only input of an ONNX file; None of other models."""
    if model.network is None:
        return None
    inputs = model.network.session.get_inputs()
    return tuple(inputs[0].shape) if len(inputs) == 1 else None


def inputs_of(model: Model) -> str:
    """What an ONNX file takes, in words."""
    entries = model.network.session.get_inputs()
    return ", ".join(f"{e.type} {e.name!r} of shape {tuple(e.shape)}" for e in entries)


def classes(text: str | None) -> list[str] | None:
    """The names of outputs in a file: one per line, or JSON; a name that repeats is numbered.

    Raises
    ------
    InvalidParameterError
        If there is no such file.
    InvalidInputError
        If it has no names.
    """
    if text is None:
        return None
    path = Path(text)
    if text == "imagenet" and not path.exists():
        from perturbx.interop import imagenet_classes

        return list(imagenet_classes())
    if not path.is_file():
        raise InvalidParameterError(f"--classes: there is no file {text!r}.")
    try:
        content = path.read_text(encoding="utf-8-sig")
        names = _from_json(content) if path.suffix == ".json" else content.splitlines()
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise InvalidInputError(f"--classes: {path.name} cannot be read: {error}") from error
    while names and not names[-1].strip():
        names.pop()
    blank = next((i for i, name in enumerate(names, 1) if not name.strip()), None)
    if blank is not None or not names:
        where = f"line {blank} is empty" if names else "it is empty"
        raise InvalidInputError(f"--classes: {path.name} must have one name per line; {where}.")
    return distinct([name.strip() for name in names])


def distinct(names: Sequence[str]) -> list[str]:
    """Names that differ: one that occurred before gets its position."""
    found: list[str] = []
    for i, name in enumerate(names):
        found.append(f"{name} ({i})" if name in found else name)
    return found


def _from_json(content: str) -> list[str]:
    """A list of names, or a mapping from positions to names or to (id, name)."""
    read = json.loads(content)
    if isinstance(read, dict):
        read = [read[str(i)] for i in range(len(read))]
    return [str(name[-1] if isinstance(name, list) else name) for name in read]
