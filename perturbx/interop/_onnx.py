"""An ONNX network as a predict_fn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import check_integer, invalid
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.interop._network import Network, Output, Preprocess, check_settings

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}

_FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")

_WITHOUT_ZIPMAP = (
    "Of a scikit-learn classifier convert the probabilities to one tensor, as in "
    'skl2onnx.to_onnx(model, X, options={"zipmap": False}), and pass output=None.'
)


def from_onnx(
    model: str | PathLike[str] | bytes | Any,
    *,
    preprocess: Preprocess | None = None,
    output: Output = "softmax",
    output_names: Sequence[str] | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    providers: Sequence[Any] | None = None,
    answer: str | None = None,
) -> OnnxNetwork:
    """An ONNX network as a plain predict_fn: batches as you hold them to NumPy scores.

    The extra ``onnx`` also brings the packages onnx and onnxscript, which
    ``torch.onnx.export(module, inputs, "network.onnx")`` needs to write a file. For models of
    scikit-learn, ``pip install skl2onnx``.

    Parameters
    ----------
    model : path, bytes or onnxruntime.InferenceSession
        The file, its content, or a session. With a path or bytes the predict_fn pickles, so that
        workers open sessions of their own.
    preprocess : callable, optional
        A part of the batch (at most `batch_size` rows) to the network's one input. For photos:
        `ImagePreprocess`. None: the batch itself. Numbers take the type that the input declares.
    output : "softmax", "sigmoid", "logits" or None
        What is made of the answers: probabilities of classes that exclude one another, or of
        each output alone, or nothing. With None nothing is assumed of them, as for regression or
        a network that ends with its softmax; with the others, answers that already are
        probabilities are refused.
    output_names : sequence of str, optional
        A name for each output; explainers take them from here.
    batch_size : int, optional
        The most rows in one call of the session. A network that was exported for batches of one
        size gets batches of that size, whatever is said here.
    threads : int, optional
        Threads of one call; None leaves it to onnxruntime, which takes all cores. Not with a
        session, which has its own.
    providers : sequence, optional
        Where it runs, as in ``InferenceSession(providers=...)``; by default the processor.
    answer : str, optional
        Which of several outputs of the file holds the scores. By default the only one of floats:
        integers are labels unless they are named here.

    Returns
    -------
    callable
        `X` to (n,) or (n, k): probabilities in float64, other answers in float32, or in float64
        where the network answers so.

    Raises
    ------
    ImportError
        Without onnxruntime.
    InvalidParameterError
        If a setting is not what it can be, or the file is no network with one input.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('from_onnx needs onnxruntime: pip install "perturbx[onnx]"') from error
    settings = check_settings(preprocess, output, output_names, batch_size)
    if threads is not None:
        check_integer("threads", threads, minimum=1)
    if isinstance(model, onnxruntime.InferenceSession):
        if threads is not None or providers is not None:
            name, value = ("threads", threads) if threads else ("providers", providers)
            raise invalid(name, "None where a session is given, as it has its own", value)
        source, session = None, model
    else:
        source = model if isinstance(model, bytes) else _existing(model)
        session = _open(source, threads, providers)
    return OnnxNetwork(
        *settings,
        source=source,
        threads=threads,
        providers=providers,
        session=session,
        answer=_chosen(session, answer),
    )


@dataclass(frozen=True, eq=False, repr=False)
class OnnxNetwork(Network):
    """What `from_onnx` returns."""

    maker: ClassVar[str] = "from_onnx"

    source: str | bytes | None = field(kw_only=True)
    threads: int | None = field(kw_only=True)
    providers: Sequence[Any] | None = field(kw_only=True)
    session: Any = field(kw_only=True)
    answer: str = field(kw_only=True)

    def __repr__(self) -> str:
        where = Path(self.source).name if isinstance(self.source, str) else "a session"
        return f"<predict_fn: {where} (onnx), {self.output or 'answers as they are'}>"

    def __getstate__(self) -> dict[str, Any]:
        if self.source is None:
            raise TypeError(
                "A predict_fn of an onnxruntime session cannot be sent to workers: pass the path "
                "of its file, as in px.interop.from_onnx('network.onnx'), or n_jobs=None."
            )
        return {**vars(self), "session": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        session = _open(state["source"], state["threads"], state["providers"])
        vars(self).update(state, session=session)

    @property
    def resolution(self) -> float:
        kind = next(o.type for o in self.session.get_outputs() if o.name == self.answer)
        dtype = np.dtype(_TYPES[kind])
        return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0

    @property
    def on_accelerator(self) -> bool:
        return bool(self.session.get_providers()[0] != "CPUExecutionProvider")

    def forward(self, inputs: Any) -> NDArray[Any]:
        (entry,) = self.session.get_inputs()
        array = _typed(np.asarray(inputs), entry)
        first = entry.shape[0] if entry.shape else None
        fixed = first if isinstance(first, int) else len(array)
        if fixed == len(array):
            return self._run(entry.name, array)
        parts = []
        for start in range(0, len(array), fixed):
            part = array[start : start + fixed]
            spare = np.repeat(part[-1:], fixed - len(part), axis=0)
            parts.append(self._run(entry.name, np.concatenate([part, spare]))[: len(part)])
        return np.concatenate(parts)

    def _run(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.session.run([self.answer], {name: array})[0])


def _existing(model: Any) -> str:
    if not isinstance(model, (str, PathLike)):
        raise invalid(
            "model",
            "the path of an .onnx file, its bytes, or an onnxruntime.InferenceSession",
            model,
            "An onnx.ModelProto: model.SerializeToString()." * hasattr(model, "SerializeToString"),
        )
    if not Path(model).is_file():
        raise InvalidParameterError(f"there is no file {fspath(model)!r}.")
    return fspath(model)


def _open(source: str | bytes, threads: int | None, providers: Sequence[Any] | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            source, options, providers=list(providers or ["CPUExecutionProvider"])
        )
    except Exception as error:  # onnxruntime has a class of its own for every status
        what = repr(source) if isinstance(source, str) else f"{len(source)} bytes"
        raise InvalidParameterError(f"onnxruntime cannot open {what}: {error}") from error


def _chosen(session: Any, answer: str | None) -> str:
    """The name of the output that holds the scores, or an error that lists them."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        listed = ", ".join(f"{i.name} ({i.type})" for i in inputs)
        raise InvalidParameterError(
            f"the network must have one input of numbers; this one has {listed}. Write a "
            "predict_fn of your own that calls session.run, as in lambda X: session.run(None, "
            "{name: X[[name]].to_numpy() for name in X})[0] for a DataFrame X."
        )
    found = {o.name: o.type for o in session.get_outputs()}
    listed = ", ".join(f"{name!r} ({kind})" for name, kind in found.items())
    if answer is not None:
        if found.get(answer) not in _TYPES:
            in_maps = _WITHOUT_ZIPMAP * ("map(" in found.get(answer, ""))
            raise invalid("answer", f"the name of an output of numbers ({listed})", answer, in_maps)
        return answer
    floats = [name for name, kind in found.items() if kind in _FLOATS]
    if len(floats) == 1:
        return str(floats[0])
    raise InvalidParameterError(f"the network has {_which_scores(found, floats, listed)}")


def _which_scores(found: dict[str, str], floats: list[str], listed: str) -> str:
    """Why no output is sure to hold the scores, and what to do."""
    if floats:
        beside = f" {_WITHOUT_ZIPMAP}" * (len(found) > len(floats))
        cure = f"Say which one holds the scores, as in answer={floats[0]!r}.{beside}"
        return f"several outputs of floats: {listed}. {cure}"
    whole = [name for name, kind in found.items() if kind in _TYPES]
    if any("map(" in kind for kind in found.values()):
        cure = f"Probabilities in maps cannot be read. {_WITHOUT_ZIPMAP}"
    elif len(whole) == len(found):
        cure = f"If one holds scores nevertheless, pass answer={whole[0]!r} and output=None."
    else:
        cure = "Write a predict_fn of your own that calls session.run."
    return f"no output of floats: {listed}. Integers and texts are labels, not scores. {cure}"


def _typed(array: NDArray[Any], entry: Any) -> NDArray[Any]:
    """The array in the type and shape that the network's input declares, or an error."""
    expected = tuple(entry.shape)
    fits = array.ndim == len(expected) and all(
        not isinstance(side, int) or side == got
        for side, got in zip(expected[1:], array.shape[1:], strict=True)
    )
    if expected and not fits:  # without a shape, none was declared
        shown = ", ".join("n" if i == 0 else str(side) for i, side in enumerate(expected))
        cure = "For photos: preprocess=px.interop.ImagePreprocess(size=...)."
        raise InvalidInputError(
            f"the network's input {entry.name!r} takes ({shown}); got {array.shape}. "
            f"{cure * (len(expected) == 4)}"
        )
    dtype = np.dtype(_TYPES[entry.type])
    if array.dtype.kind == "f" and dtype.kind != "f":
        raise InvalidInputError(
            f"the network's input {entry.name!r} takes {dtype}, and would cut floats: got "
            f"{array.dtype}. Convert them in preprocess."
        )
    return np.ascontiguousarray(array, dtype=dtype)
