import pickle
import threading

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import (
    InvalidInputError,
    InvalidParameterError,
    PredictFnError,
    UnstableModelWarning,
)
from perturbx.predictor import connect

torch = pytest.importorskip("torch")
nn = torch.nn
X = np.random.default_rng(0).normal(size=(7, 4))


def linear(k=3, d=4, dtype=torch.float32):
    module = nn.Linear(d, k)
    rng = np.random.default_rng(1)
    module.weight.data = torch.from_numpy(rng.normal(size=(k, d))).to(dtype)
    module.bias.data = torch.from_numpy(rng.normal(size=k)).to(dtype)
    return module


class Watching(nn.Module):
    """Remembers the batches that it gets; returns two sums."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, x):
        self.seen.append((len(x), x.dtype, x.requires_grad, torch.is_grad_enabled(), self.training))
        total = x.flatten(1).sum(dim=1) * self.scale
        return torch.stack([total, -total], dim=1)


class Answering(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("softmax", lambda t: torch.softmax(t, dim=1)),
        ("sigmoid", torch.sigmoid),
        ("logits", lambda t: t),
        (None, lambda t: t),
    ],
)
def test_scores_are_those_of_torch_itself(output, expected):
    """Each kind of output equals torch's own function of the module's answer, in its type."""
    for dtype, numpy_dtype, rtol in (
        (torch.float32, np.float32, 1e-5),
        (torch.float64, np.float64, 1e-12),
    ):
        module = linear(dtype=dtype)
        found = px.interop.from_torch(module, output=output)(X)
        with torch.no_grad():
            wanted = expected(module(torch.from_numpy(X).to(dtype))).numpy()
        assert found.dtype == (numpy_dtype if output in (None, "logits") else np.float64)
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-12)


def test_no_probability_is_rounded_to_one():
    """Probabilities of logits 20 apart in single precision still have a finite logit."""
    module = Answering(lambda x: torch.tensor([[0.0, 20.0]] * len(x)))
    found = px.interop.from_torch(module)(X)
    np.testing.assert_allclose(np.log(found[:, 1] / found[:, 0]), 20, rtol=1e-6)
    np.testing.assert_allclose(np.log1p(-found[:, 1]), -20, rtol=1e-6)
    found = px.interop.from_torch(module, output="sigmoid")(X)
    np.testing.assert_allclose(np.log1p(-found[:, 1]), -20, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100, None])
def test_batches_are_split_and_joined_in_order(batch_size):
    """At most batch_size rows per call, and the same answers as all at once."""
    module = Watching()
    found = px.interop.from_torch(module, output=None, batch_size=batch_size)(X)
    sizes = [seen[0] for seen in module.seen]
    assert sum(sizes) == 7
    assert max(sizes) == min(batch_size or 7, 7)
    np.testing.assert_allclose(found[:, 0], X.sum(axis=1), rtol=1e-5)


def test_a_call_holds_what_a_cache_does_by_default():
    """About a megabyte of rows per call, and never fewer than four rows."""
    module = Watching()
    predict = px.interop.from_torch(module, output=None)
    predict(np.zeros((3000, 128)))
    predict(np.zeros((9, 400, 400, 3), dtype=np.uint8))
    assert [seen[0] for seen in module.seen] == [1024, 1024, 952, 4, 4, 1]


def test_no_gradient_is_recorded():
    """Inside a call gradients are off; a tensor that the module keeps can still be trained on."""
    module = Watching()
    px.interop.from_torch(module, output=None)(X)
    assert {seen[2:4] for seen in module.seen} == {(False, False)}
    keeper = nn.Sequential(nn.Linear(4, 2))
    kept = []
    keeper.register_forward_hook(lambda _, inputs, answer: kept.append(inputs[0] * 2))
    px.interop.from_torch(keeper)(X)
    (keeper(kept[0]) ** 2).sum().backward()
    assert keeper[0].weight.grad is not None


def test_evaluation_is_switched_on_and_every_part_put_back():
    """Dropout is off within a call; afterwards each part is in its previous mode."""
    module = nn.Sequential(linear(), nn.Dropout(0.5), nn.BatchNorm1d(3))
    module.train()
    module[2].eval()
    predict = px.interop.from_torch(module, output="logits")
    np.testing.assert_array_equal(predict(X), predict(X))
    assert [part.training for part in module.modules()] == [True, True, True, False]
    module.eval()
    predict(X)
    assert not any(part.training for part in module.modules())


def test_training_comes_back_after_an_error():
    """A module that raises is restored."""
    module = nn.Sequential(Answering(lambda x: x[:, 99:] @ None))
    with pytest.raises(TypeError):
        px.interop.from_torch(module)(X)
    assert module.training
    assert module[0].training


def test_threads_in_one_module_wait_for_the_last_to_leave():
    """A call that ends does not switch training on while another call is in progress."""
    inside, leave = threading.Event(), threading.Event()

    def answer(x):
        if len(x) == 1:  # the slow call
            inside.set()
            assert leave.wait(10)
        return torch.full((len(x), 2), float(module.training))

    module = Answering(answer).train()
    predict = px.interop.from_torch(module, output=None)
    found = []
    slow = threading.Thread(target=lambda: found.append(predict(X[:1])))
    slow.start()
    assert inside.wait(10)
    quick = predict(X[:3])
    assert not module.training
    leave.set()
    slow.join()
    assert module.training
    assert not quick.any()
    assert not found[0].any()


def test_inputs_go_where_the_module_is():
    """device moves the module; without it, and during calls, the module is never moved."""
    module = linear()
    px.interop.from_torch(module, device="cpu")(X)
    assert module.weight.device.type == "cpu"
    if torch.cuda.is_available():
        predict = px.interop.from_torch(module)
        expected = predict(X)
        module.to("cuda")
        np.testing.assert_allclose(predict(X), expected, rtol=1e-3, atol=1e-5)
        assert module.weight.device.type == "cuda"
        assert predict.on_accelerator


def test_a_device_that_is_not_there_is_refused():
    """A wrong device is refused with torch's reason; so are modules without weights."""
    for device in ("cuda:99", "no such"):
        with pytest.raises(InvalidParameterError, match=f"device must be .*{device}"):
            px.interop.from_torch(linear(), device=device)
    with pytest.raises(PredictFnError, match="meta device"):
        px.interop.from_torch(nn.Linear(4, 3, device="meta"))(X)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """A module gets inputs in its own type, whose resolution is known."""
    module = linear().to(dtype)
    predict = px.interop.from_torch(module)
    found, exact = predict(X), px.interop.from_torch(linear())(X)
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, exact, atol=8 * eps)
    assert connect(predict, X, 7, None).resolution == 4 * eps
    with pytest.raises(PredictFnError, match="already are probabilities"):
        px.interop.from_torch(nn.Sequential(linear(), nn.Softmax(dim=1)).to(dtype))(X)


def test_rounding_of_half_precision_is_no_indecision():
    """Rounding that depends on the batch does not warn; real differences do."""
    rounded = Answering(lambda x: x * (1 + 1e-3 * (len(x) == 1))).bfloat16()
    rounded.register_buffer("zero", torch.zeros(1, dtype=torch.bfloat16))
    predict = px.interop.from_torch(rounded, output="logits")
    px.KernelShap(predict, stochastic=False).fit(X)
    undecided = Answering(lambda x: x + 0.5 * (len(x) == 1))
    predict = px.interop.from_torch(undecided, output="logits")
    with pytest.warns(UnstableModelWarning):
        px.KernelShap(predict, stochastic=False).fit(X)


def test_single_precision_is_known():
    """The assumed rounding follows the precision of the module, not that of the array."""
    resolutions = [
        connect(px.interop.from_torch(linear(dtype=dtype)), X, 7, None).resolution
        for dtype in (torch.float32, torch.float64)
    ]
    assert resolutions[0] == connect(lambda x: x[:, 0].astype("f4"), X, 7, None).resolution
    assert resolutions[1] == connect(lambda x: x[:, 0], X, 7, None).resolution


def test_layers_that_work_in_place_leave_the_batch_alone():
    """A module that works in place does not change the explainer's buffer."""
    kept = X.copy()
    module = nn.Sequential(nn.ReLU(inplace=True), linear())
    px.interop.from_torch(module)(X)
    for view in (lambda x: x, torch.from_numpy):
        px.interop.from_torch(module.double(), preprocess=view)(X)
    np.testing.assert_array_equal(X, kept)


def test_types_of_inputs():
    """Numbers are cast to the module's floats; integers from preprocess stay integers."""
    module = Watching().double()
    px.interop.from_torch(module, output=None)(np.ones((2, 3), dtype=np.uint8))
    px.interop.from_torch(module, output=None, preprocess=lambda x: x.astype("f4"))(X)
    assert {seen[1] for seen in module.seen} == {torch.float64}
    words = nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(6, 2))
    tokens = np.arange(6).reshape(2, 3)
    found = px.interop.from_torch(words, preprocess=torch.from_numpy)(tokens)
    assert found.shape == (2, 2)


def test_containers():
    """Frames, tensors, sparse matrices, lists and reversed arrays give the same scores."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    sparse = pytest.importorskip("scipy.sparse")
    predict = px.interop.from_torch(linear(), batch_size=3)
    expected = predict(X)
    for batch in (
        pandas.DataFrame(X),
        pandas.DataFrame(X, index=np.arange(7) / 2),
        polars.DataFrame(X),
        torch.from_numpy(X),
        sparse.csr_array(X),
        sparse.coo_matrix(X),
        X.tolist(),
        X[::-1][::-1],
    ):
        np.testing.assert_array_equal(predict(batch), expected)
    X32 = torch.from_numpy(X).to(torch.bfloat16)
    np.testing.assert_allclose(predict(X32), expected, atol=0.05)


def test_answers_in_an_object():
    """Logits are found in an object or a dict."""

    class Answer:
        def __init__(self, logits):
            self.logits = logits

    expected = px.interop.from_torch(linear())(X)
    for wrap in (Answer, lambda logits: {"logits": logits, "loss": None}):
        module = linear()
        module.register_forward_hook(lambda _, inputs, answer, wrap=wrap: wrap(answer))
        np.testing.assert_array_equal(px.interop.from_torch(module)(X), expected)


def test_explainers_take_names_and_settings_from_it():
    """Output names are found, the values are those of a plain function of the same module."""
    module = linear()
    predict = px.interop.from_torch(module, output="logits", output_names=["a", "b", "c"])
    explanation = px.KernelShap(predict, outputs="b", random_state=0).fit(X).explain(X[:2])
    weights = module.weight.detach().numpy()[1]
    np.testing.assert_allclose(explanation.values, (X[:2] - X.mean(axis=0)) * weights, atol=1e-5)
    assert explanation.output_names == ("b",)
    with pytest.raises(InvalidParameterError, match="No output is named 'B ': did you mean 'b'"):
        px.KernelShap(predict, outputs="B ").fit(X).explain(X[:2])
    own = px.KernelShap(predict, outputs="z", output_names=["x", "y", "z"]).fit(X)
    assert own.explain(X[:1]).output_names == ("z",)


def test_it_pickles():
    """Workers get the module, and scores are the same."""
    predict = px.interop.from_torch(linear(), output_names=["a", "b", "c"])
    again = pickle.loads(pickle.dumps(predict))
    np.testing.assert_array_equal(again(X), predict(X))
    assert again.output_names == ("a", "b", "c")


def test_its_name_says_what_it_is():
    """Its repr names the module, the device and the output."""
    assert repr(px.interop.from_torch(linear())) == "<predict_fn: Linear (torch, cpu), softmax>"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"module": lambda x: x}, "module must be a torch.nn.Module; got <function"),
        ({"module": nn.Linear}, "module must be a torch.nn.Module"),
        ({"output": "probability"}, "output must be one of 'softmax', 'sigmoid', 'logits'"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"preprocess": 224}, r"preprocess must be a callable.*ImagePreprocess\(size=224\)"),
        ({"preprocess": px.interop.ImagePreprocess}, "preprocess must be a callable"),
        ({"output_names": "cat"}, "output_names must be a sequence of distinct names"),
        ({"output_names": ["a", "b", "a"]}, "Twice there: 'a'"),
        ({"output_names": []}, "output_names must be"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """Wrong settings are refused by name when the predict_fn is created."""
    with pytest.raises(InvalidParameterError, match=said):
        px.interop.from_torch(**{"module": linear(), **settings})


@pytest.mark.parametrize(
    ("module", "settings", "said"),
    [
        (nn.Sequential(linear(), nn.Softmax(dim=1)), {}, r"already are prob.*pass output=None"),
        (nn.Sequential(linear(), nn.Softmax(dim=1)), {"output": "logits"}, "already are prob"),
        (nn.Sequential(linear(), nn.Softmax(dim=1)), {"output": "sigmoid"}, "already are prob"),
        (linear(k=1), {}, r'single output is always 1: pass output="sigmoid"'),
        (Answering(lambda x: x[:, 0]), {}, "single output"),
        (linear(), {"output_names": ["a", "b"]}, "holds 2 names, but the network has 3"),
        (Answering(lambda x: x[:-1]), {}, r"got \(6, 4\) for 7 rows"),
        (Answering(lambda x: x[:, :, None]), {}, r"got \(7, 4, 1\)"),
        (Answering(lambda x: (x, x)), {}, r"one tensor, or with logits; got tuple"),
        (Answering(lambda x: None), {}, "got NoneType"),
    ],
)
def test_answers_that_are_no_scores(module, settings, said):
    """The error shows what was returned and what to pass."""
    with pytest.raises(PredictFnError, match=said):
        px.interop.from_torch(module, **settings)(X)


def test_explainers_pass_on_what_a_network_refuses():
    """The error of a network reaches the user of an explainer."""
    predict = px.interop.from_torch(nn.Sequential(linear(d=4, k=5), nn.Softmax(dim=1)))
    with pytest.raises(PredictFnError, match=r"for the first rows.*already are probabilities"):
        px.KernelShap(predict).fit(X)


def test_probabilities_are_explained_as_they_are():
    """output=None does not check answers; a few logits may sum to 1 by chance."""
    module = nn.Sequential(linear(), nn.Softmax(dim=1))
    found = px.interop.from_torch(module, output=None)(X)
    np.testing.assert_allclose(found, px.interop.from_torch(linear())(X), atol=1e-6)
    by_chance = Answering(lambda x: torch.tensor([[0.25, 0.75]]))
    assert px.interop.from_torch(by_chance)(X[:1]).shape == (1, 2)


@pytest.mark.parametrize(
    ("batch", "settings", "said"),
    [
        ([np.zeros((4, 4)), np.zeros((5, 4))], {}, "images of different sizes.*ImagePreprocess"),
        (np.array([["a"], ["b"]]), {}, "no array of numbers"),
        (X[:0], {}, "got ndarray of shape"),
        (3.0, {}, r"got float of shape \(\)"),
        (X, {"preprocess": lambda x: x[:1]}, r"one entry for each of the 7 rows.*got \(1, 4\)"),
        (X, {"preprocess": lambda x: None}, "got NoneType"),
    ],
)
def test_batches_that_cannot_be_asked(batch, settings, said):
    """They are refused before the module is called."""
    module = Watching()
    with pytest.raises(InvalidInputError, match=said):
        px.interop.from_torch(module, **settings)(batch)
    assert module.seen == []


def test_a_module_in_place_of_a_predict_fn_is_told_its_bridge():
    """For arrays the error names from_torch; tensors still work."""
    with pytest.raises(PredictFnError, match=r"raised TypeError.*px.interop.from_torch\(module\)"):
        px.KernelShap(linear()).fit(X)
    tensors = torch.from_numpy(X).float()
    found = px.KernelShap(linear().eval(), random_state=0).fit(tensors).explain(tensors[:2])
    assert found.shape == (2, 4, 3)


def test_without_torch_the_extra_is_named(monkeypatch):
    """An ImportError in one line, before anything else is checked."""
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[vision\]"'):
        px.interop.from_torch(None)


def convolution():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )


@pytest.mark.parametrize("kind", ["module", "its forward", "a function around it"])
def test_a_raw_module_is_told_how_it_becomes_a_predict_fn(kind):
    """The error names from_torch, for photos also preprocess, without torch's signatures."""
    network, photo = convolution(), np.zeros((16, 16, 3), dtype=np.uint8)
    predict_fn = {
        "module": network,
        "its forward": network.forward,
        "a function around it": lambda batch: network(batch),
    }[kind]
    with pytest.raises(px.errors.PredictFnError) as caught:
        px.Occlusion(predict_fn).explain(photo)
    cure = "px.interop.from_torch(module, preprocess=px.interop.ImagePreprocess(224))"
    assert cure in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    rows = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.raises(px.errors.PredictFnError, match=r"from_torch\(module\)\.$"):
        px.KernelShap(torch.nn.Linear(4, 2)).fit(rows)
    with pytest.raises(px.errors.PredictFnError, match=r"dtype.*from_torch\(module\)\.$"):
        px.KernelShap(torch.nn.Linear(4, 2)).fit(torch.tensor(rows))


def test_photos_without_a_preprocess_are_told_of_it():
    """Photos with channels last in a network with channels first: the error names the remedy."""
    photo = np.zeros((16, 16, 3), dtype=np.uint8)
    with pytest.raises(px.errors.PredictFnError) as caught:
        px.Occlusion(px.interop.from_torch(convolution())).explain(photo)
    for said in ("(1, 16, 16, 3)", "from_torch(..., preprocess=px.interop.ImagePreprocess(224))"):
        assert said in str(caught.value)
    preprocess = px.interop.ImagePreprocess(16)
    fine = px.Occlusion(px.interop.from_torch(convolution(), preprocess=preprocess))
    assert fine.explain(photo).shape[-1] == 2


@pytest.mark.parametrize("kind", ["mixed", "nullable", "pyarrow", "objects", "polars"])
def test_numbers_of_several_types_are_numbers(kind):
    """Columns of floats, integers and bools reach the network as numbers."""
    columns = {"a": [0.5, -1.0, 2.0], "b": [1, 2, 3], "c": [True, False, True]}
    rows = np.array(list(columns.values()), dtype=float).T
    if kind == "objects":
        given = np.array([*zip(*columns.values(), strict=True)], dtype=object)
    elif kind == "polars":
        given = pytest.importorskip("polars").DataFrame(columns)
    else:
        given = pytest.importorskip("pandas").DataFrame(columns)
        if kind == "pyarrow":
            pytest.importorskip("pyarrow")
        backend = "pyarrow" if kind == "pyarrow" else "numpy_nullable"
        given = given if kind == "mixed" else given.convert_dtypes(dtype_backend=backend)
    predict = px.interop.from_torch(linear(d=3), output=None)
    np.testing.assert_array_equal(predict(given), predict(rows))


def test_missing_and_textual_cells_are_no_numbers():
    """A column that the network cannot take is still refused."""
    pd = pytest.importorskip("pandas")
    predict = px.interop.from_torch(linear(d=2), output=None)
    for cells in (["1.5", 2.0], [None, 2.0], [pd.NA, 2.0]):
        given = pd.DataFrame({"a": pd.Series(cells, dtype=object), "b": [1.0, 2.0]})
        with pytest.raises(InvalidInputError, match="no array of numbers"):
            predict(given)
