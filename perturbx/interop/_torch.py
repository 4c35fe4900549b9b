"""A torch module as a predict_fn."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError, PredictFnError
from perturbx.interop._network import Network, Output, Preprocess, check_settings

if TYPE_CHECKING:
    import torch


def from_torch(
    module: torch.nn.Module,
    *,
    preprocess: Preprocess | None = None,
    output: Output = "softmax",
    output_names: Sequence[str] | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> TorchNetwork:
    """A torch module as a predict_fn: from batches in your own container to NumPy scores.

    Each call switches the module to evaluation mode and back, submodule by submodule, and records
    no gradient. Inputs are moved to the module's device and cast to its precision.

    Parameters
    ----------
    module : torch.nn.Module
        Its forward takes one tensor and returns (n,) or (n, k) scores, or an object or dict with
        such `logits`.
    preprocess : callable, optional
        From a part of the batch (at most `batch_size` rows) to the module's input, an array or
        tensor. For photos: `ImagePreprocess`. Floats are cast to the module's precision; integers,
        such as the codes of an embedding, are kept. None: the batch itself, as floats.
    output : "softmax", "sigmoid", "logits" or None
        "softmax": the answers are logits of classes that exclude one another; "sigmoid": of
        independent outputs. "logits": explain the logits. None: explain the answers unchanged,
        for regression or a module that ends with a softmax. Except with None, answers that
        already are probabilities are refused.
    output_names : sequence of str, optional
        A name for each output, which explainers use.
    batch_size : int, optional
        The most rows per call of the module; by default 1 MB of rows on a CPU, so that they stay
        in its cache, and 64 MB on other devices. An explainer's `batch_size` limits the rows that
        it makes at once: raise it too on an accelerator.
    device : torch.device or str, optional
        Move the module there permanently, like ``module.to(device)``. None: leave it.

    Returns
    -------
    callable
        From `X` to (n,) or (n, k) scores: probabilities in float64, other answers in float32, or in
        float64 if the module has double precision. It can be pickled if module and preprocess can.

    Raises
    ------
    ImportError
        Without torch.
    InvalidParameterError
        If a setting is wrong.

    Examples
    --------
    >>> import numpy as np, perturbx as px, torch
    >>> module = torch.nn.Linear(4, 3)
    >>> predict = px.interop.from_torch(module, output_names=["a", "b", "c"])
    >>> predict(np.ones((5, 4))).shape
    (5, 3)
    >>> background = np.random.default_rng(0).normal(size=(20, 4))
    >>> px.KernelShap(predict, outputs="b").fit(background).explain(np.ones((2, 4))).shape
    (2, 4)
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError('from_torch needs torch: pip install "perturbx[vision]"') from error
    if not isinstance(module, torch.nn.Module):
        raise invalid("module", "a torch.nn.Module", module)
    settings = check_settings(preprocess, output, output_names, batch_size)
    if device is not None:
        if not isinstance(device, (str, torch.device)):
            raise invalid("device", 'a torch.device or a string, such as "cuda"', device)
        try:
            module.to(device)
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise InvalidParameterError(
                f"device must be one that torch can use here; got {device!r}: {error}"
            ) from error
    return TorchNetwork(*settings, module=module, device=device)


@dataclass(frozen=True, eq=False, repr=False)
class TorchNetwork(Network):
    """The result of `from_torch`."""

    maker: ClassVar[str] = "from_torch"

    module: Any = field(kw_only=True)
    device: Any = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        made = self.output or "answers as they are"
        return f"<predict_fn: {type(self.module).__name__} (torch, {self._place()}), {made}>"

    @property
    def resolution(self) -> float:
        import torch

        return float(torch.finfo(self._dtype()).eps)

    @property
    def on_accelerator(self) -> bool:
        return bool(self._place().type != "cpu")

    def forward(self, inputs: Any) -> NDArray[Any]:
        import torch

        # copies, since layers may work in place, and the batch belongs to the explainer
        is_tensor = isinstance(inputs, torch.Tensor)
        tensor = inputs.clone() if is_tensor else torch.from_numpy(np.array(inputs, order="C"))
        as_floats = self.preprocess is None or tensor.is_floating_point()
        tensor = tensor.to(self._place(), self._dtype() if as_floats else tensor.dtype)
        # not inference_mode: tensors that the module keeps could not be used in training
        with _evaluating(self.module), torch.no_grad():
            answer = _tensor_in(self.module(tensor)).detach().cpu()
        is_known = answer.dtype in (torch.float32, torch.float64)
        return np.asarray((answer if is_known else answer.float()).numpy())

    def _place(self) -> Any:
        """The current device of the module; it may have been moved."""
        import torch

        first = next(chain(self.module.parameters(), self.module.buffers()), None)
        place = torch.device(self.device or "cpu") if first is None else first.device
        if place.type == "meta":
            raise PredictFnError("the module is on the meta device, without weights: load them.")
        return place

    def _dtype(self) -> Any:
        import torch

        entries = chain(self.module.parameters(), self.module.buffers())
        return next((e.dtype for e in entries if e.is_floating_point()), torch.float32)


def _tensor_in(answer: Any) -> Any:
    """The scores in the answer of a module: a tensor, or the logits of an object or dict."""
    import torch

    logits = answer.get("logits") if isinstance(answer, dict) else getattr(answer, "logits", None)
    for found in (answer, logits):
        if isinstance(found, torch.Tensor):
            return found
    raise PredictFnError(
        f"the module must answer with one tensor, or with logits; got {type(answer).__name__}. "
        "Wrap it in a module whose forward returns the scores alone."
    )


_LOCK = threading.Lock()
_IN_CALLS: WeakKeyDictionary[Any, tuple[int, list[Any]]] = WeakKeyDictionary()
"""Modules with calls in progress: how many, and the submodules that were in training mode."""


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode; restored when the last of several threads leaves."""
    with _LOCK:
        calls, trained = _IN_CALLS.get(module, (0, []))
        if not calls:
            trained = [part for part in module.modules() if part.training]
            if trained:
                module.eval()
        _IN_CALLS[module] = (calls + 1, trained)
    try:
        yield
    finally:
        with _LOCK:
            calls, trained = _IN_CALLS.pop(module)
            if calls > 1:
                _IN_CALLS[module] = (calls - 1, trained)
            else:
                for part in trained:
                    part.training = True
