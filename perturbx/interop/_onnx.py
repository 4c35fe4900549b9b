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
from perturbx.errors import InvalidParameterError
from perturbx.interop._network import Network, Output, Preprocess, check_settings
from perturbx.interop._onnx_ports import (
    check_inputs,
    chosen,
    column_of,
    dtype_of,
    feed_of,
    is_plain,
    labels_of,
    scores_of,
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

    A network with an input for each column, as skl2onnx writes for pipelines, takes a DataFrame
    and finds its columns by name. One with a single input of texts takes a list of them.

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
        A name for each output, which explainers use; by default the classes of a converted
        scikit-learn classifier, if the package onnx is there to read them.
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
        output of floats, since integers are usually labels. Probabilities in maps from class to
        probability (ZipMap) become columns.

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
        If a setting is wrong, or the inputs or outputs of the network cannot be used.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('from_onnx needs onnxruntime: pip install "perturbx[onnx]"') from error
    preprocess, output, names, batch_size = check_settings(
        preprocess, output, output_names, batch_size
    )
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
    check_inputs(session)
    scores = chosen(session, answer)
    return OnnxNetwork(
        preprocess,
        output,
        names or labels_of(source, session, scores),
        batch_size,
        source=source,
        threads=threads,
        providers=providers,
        session=session,
        answer=scores,
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

    @property
    def __name__(self) -> str:
        """What explanations call it."""
        return Path(self.source).name if isinstance(self.source, str) else "OnnxNetwork"

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
        dtype = dtype_of(self.session, self.answer)
        return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0

    @property
    def on_accelerator(self) -> bool:
        return bool(self.session.get_providers()[0] != "CPUExecutionProvider")

    def columns(self, names: Sequence[str]) -> dict[str, str | None]:
        """Which of the columns each input takes, where each takes one; None for none of them."""
        inputs = (str(entry.name) for entry in self.session.get_inputs())
        return {name: column_of(name, names) for name in inputs}

    def plain(self, part: Any) -> Any:
        return super().plain(part) if is_plain(self.session) else part

    def forward(self, inputs: Any) -> NDArray[Any]:
        feed = feed_of(self.session, inputs)
        sides = [entry.shape[0] for entry in self.session.get_inputs() if entry.shape]
        n = len(next(iter(feed.values())))
        fixed = next((side for side in sides if isinstance(side, int)), n)
        answers = []
        for start in range(0, n, fixed):
            part = {name: array[start : start + fixed] for name, array in feed.items()}
            spare = fixed - min(fixed, n - start)
            if spare:
                part = {
                    name: np.concatenate([array, np.repeat(array[-1:], spare, axis=0)])
                    for name, array in part.items()
                }
            answers.append(self._run(part)[: fixed - spare])
        return np.concatenate(answers)

    def _run(self, feed: dict[str, NDArray[Any]]) -> NDArray[Any]:
        return scores_of(self.session.run([self.answer], feed)[0])


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
