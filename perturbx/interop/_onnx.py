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

_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
_WHOLE = ("uint8", "int8", "uint16", "int16", "int32", "int64", "bool")
_TYPES = _FLOATS | {f"tensor({name})": name for name in _WHOLE}

_WITHOUT_ZIPMAP = (
    "For a scikit-learn classifier, convert the probabilities to one tensor, as in "
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
    """An ONNX network as a predict_fn: from batches in your own container to NumPy scores.

    The extra ``onnx`` also brings the packages onnx and onnxscript, which
    ``torch.onnx.export(module, inputs, "network.onnx")`` needs to write a file. For models of
    scikit-learn, ``pip install skl2onnx``.

    Parameters
    ----------
    model : path, bytes or onnxruntime.InferenceSession
        The file, its content, or a session. With a path or bytes the predict_fn can be pickled,
        and each worker opens its own session.
    preprocess : callable, optional
        From a part of the batch (at most `batch_size` rows) to the network's input. For photos:
        `ImagePreprocess`. None: the batch itself. Numbers are cast to the type of the input.
    output : "softmax", "sigmoid", "logits" or None
        "softmax": the answers are logits of classes that exclude one another; "sigmoid": of
        independent outputs. "logits": explain the logits. None: explain the answers unchanged,
        for regression or a network that ends with a softmax. Except with None, answers that
        already are probabilities are refused.
    output_names : sequence of str, optional
        A name for each output, which explainers use.
    batch_size : int, optional
        The most rows per call of the session. A network that was exported with a fixed batch size
        always gets batches of that size.
    threads : int, optional
        Threads per call; None: all cores, as onnxruntime does by default. Not with a session,
        which has its own setting.
    providers : sequence, optional
        Where it runs, as in ``InferenceSession(providers=...)``; by default the CPU.
    answer : str, optional
        The output of the file that contains the scores, if there are several. By default the only
        output of floats, since integers are usually labels.

    Returns
    -------
    callable
        From `X` to (n,) or (n, k) scores: probabilities in float64, other answers in float32, or in
        float64 if the network has double precision.

    Raises
    ------
    ImportError
        Without onnxruntime.
    InvalidParameterError
        If a setting is wrong, or the file is not a network with one input.
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
            raise invalid(name, "None where a session is given, since it has its own", value)
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
    """The result of `from_onnx`."""

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
                "A predict_fn with an onnxruntime session cannot be sent to workers: pass the path "
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
        answers = []
        for start in range(0, len(array), fixed):
            part = array[start : start + fixed]
            spare = np.repeat(part[-1:], fixed - len(part), axis=0)
            batch = np.concatenate([part, spare]) if len(spare) else part
            answers.append(self._run(entry.name, batch)[: len(part)])
        return np.concatenate(answers)

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
    except Exception as error:  # onnxruntime has one class per status
        what = repr(source) if isinstance(source, str) else f"{len(source)} bytes"
        raise InvalidParameterError(f"onnxruntime cannot open {what}: {error}") from error


def _chosen(session: Any, answer: str | None) -> str:
    """The name of the output with the scores, or an error that lists all outputs."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        listed = ", ".join(f"{i.name} ({i.type})" for i in inputs)
        raise InvalidParameterError(
            f"the network must have one input of numbers; this one has {listed}. Write your own "
            "predict_fn that calls session.run, as in lambda X: session.run(None, "
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
    """Why the scores cannot be found, and the remedy."""
    if floats:
        beside = f" {_WITHOUT_ZIPMAP}" * (len(found) > len(floats))
        cure = f"Name the one with the scores, as in answer={floats[0]!r}.{beside}"
        return f"several outputs of floats: {listed}. {cure}"
    whole = [name for name, kind in found.items() if kind in _TYPES]
    if any("map(" in kind for kind in found.values()):
        cure = f"Maps of probabilities are not supported. {_WITHOUT_ZIPMAP}"
    elif len(whole) == len(found):
        cure = f"If one contains scores after all, pass answer={whole[0]!r} and output=None."
    else:
        cure = "Write your own predict_fn that calls session.run."
    return f"no output of floats: {listed}. Integers and texts are labels, not scores. {cure}"


def _typed(array: NDArray[Any], entry: Any) -> NDArray[Any]:
    """The array in the type and shape of the network's input, or an error."""
    expected = tuple(entry.shape)
    fits = array.ndim == len(expected) and all(
        not isinstance(side, int) or side == got
        for side, got in zip(expected[1:], array.shape[1:], strict=True)
    )
    if expected and not fits:  # without a declared shape, any shape may fit
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
