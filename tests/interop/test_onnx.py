import pickle

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError, PredictFnError
from perturbx.predictor import connect

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
X = np.random.default_rng(0).normal(size=(7, 4))
W = np.random.default_rng(1).normal(size=(4, 3))


def model_bytes(
    kind="FLOAT", shape=("n", 4), *, ends_with=None, inputs=("x",), extra=(), cast=None
):
    """x @ W as a minimal ONNX graph."""
    helper, types = onnx.helper, onnx.TensorProto
    computed = getattr(types, cast or kind)
    dtype = helper.tensor_dtype_to_np_dtype(computed)
    weights = onnx.numpy_helper.from_array(W.astype(dtype), "W")
    nodes = [helper.make_node("Cast", ["x"], ["input"], to=computed)]
    nodes.append(helper.make_node("MatMul", ["input", "W"], ["scores"]))
    last = "scores"
    if ends_with:
        nodes.append(helper.make_node(ends_with, ["scores"], ["answer"]))
        last = "answer"
    outputs = [helper.make_tensor_value_info(last, computed, None)]
    for name in extra:
        to = types.INT64 if name == "label" else types.FLOAT
        nodes.append(helper.make_node("Cast", [last], [name], to=to))
        outputs.insert(0, helper.make_tensor_value_info(name, to, None))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, getattr(types, kind), shape) for name in inputs],
        outputs,
        [weights],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def softmax(t):
    e = np.exp(t - t.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def batch_sizes(predict, monkeypatch):
    """The sizes of the batches that a session gets from now on."""
    sizes = []
    run = type(predict)._run
    spy = lambda self, feed: sizes.append(len(feed["x"])) or run(self, feed)  # noqa: E731
    monkeypatch.setattr(type(predict), "_run", spy)
    return sizes


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "logits", None])
def test_scores_are_those_of_the_formula(output, tmp_path):
    """From a path, from bytes and from a session: x @ W, transformed by output."""
    path = tmp_path / "network.onnx"
    path.write_bytes(model_bytes())
    session = onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])
    made = {"softmax": softmax, "sigmoid": lambda t: 1 / (1 + np.exp(-t))}.get(output)
    expected = X @ W if made is None else made(X @ W)
    for source in (path, str(path), model_bytes(), session):
        found = px.interop.from_onnx(source, output=output)(X)
        assert found.dtype == (np.float64 if made else np.float32)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(("batch_size", "sizes"), [(None, [7]), (3, [3, 3, 1]), (7, [7])])
def test_batches_are_split_and_joined_in_order(batch_size, sizes, monkeypatch):
    """At most batch_size rows per call."""
    predict = px.interop.from_onnx(model_bytes(), output=None, batch_size=batch_size)
    seen = batch_sizes(predict, monkeypatch)
    np.testing.assert_allclose(predict(X), X @ W, rtol=2e-6, atol=1e-6)
    assert seen == sizes


@pytest.mark.parametrize(("fixed", "sizes"), [(1, [1] * 7), (2, [2] * 4), (9, [9])])
def test_networks_of_one_batch_size_get_that(fixed, sizes, monkeypatch):
    """Short batches are filled up, and the extra answers dropped."""
    predict = px.interop.from_onnx(model_bytes(shape=(fixed, 4)), output=None)
    seen = batch_sizes(predict, monkeypatch)
    np.testing.assert_allclose(predict(X), X @ W, rtol=2e-6, atol=1e-6)
    assert seen == sizes


def test_precision_of_the_network_is_known():
    """Half, single and double precision: answers and their known resolution match the type."""
    exact = connect(lambda x: x[:, 0], X, 7, None).resolution
    single = connect(lambda x: x[:, 0].astype("f4"), X, 7, None).resolution
    for kind, dtype, resolution, rtol in (
        ("FLOAT16", np.float32, 4 * 2.0**-10, 2e-2),
        ("FLOAT", np.float32, single, 1e-5),
        ("DOUBLE", np.float64, exact, 1e-12),
    ):
        predict = px.interop.from_onnx(model_bytes(kind), output=None)
        found = predict(X)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, X @ W, rtol=rtol, atol=rtol)
        assert connect(predict, X, 7, None).resolution == resolution


def test_numbers_take_the_type_of_the_input():
    """A network of bytes takes bytes, and refuses floats, which would be cut."""
    predict = px.interop.from_onnx(model_bytes("UINT8", cast="FLOAT"), output=None)
    rows = np.arange(8, dtype=np.uint8).reshape(2, 4)
    np.testing.assert_allclose(predict(rows), rows @ W, rtol=1e-5)
    with pytest.raises(InvalidInputError, match="'x' takes uint8, and would cut floats"):
        predict(X)


def test_it_pickles_unless_it_is_a_session(tmp_path):
    """Workers reopen the file or the bytes; for a session the error says what to pass."""
    path = tmp_path / "network.onnx"
    path.write_bytes(model_bytes())
    for source in (path, model_bytes()):
        predict = px.interop.from_onnx(source, threads=1, output_names=["a", "b", "c"])
        again = pickle.loads(pickle.dumps(predict))
        np.testing.assert_array_equal(again(X), predict(X))
        assert again.output_names == ("a", "b", "c")
        assert again.session.get_session_options().intra_op_num_threads == 1
    session = onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])
    with pytest.raises(TypeError, match="pass the path of its file"):
        pickle.dumps(px.interop.from_onnx(session))


def test_explainers_take_names_from_it():
    """Output names are found, and the Shapley values of a linear network are exact."""
    predict = px.interop.from_onnx(model_bytes(), output="logits", output_names=["a", "b", "c"])
    found = px.KernelShap(predict, outputs="c", random_state=0).fit(X).explain(X[:2])
    np.testing.assert_allclose(found.values, (X[:2] - X.mean(axis=0)) * W[:, 2], atol=1e-5)


def test_the_scores_among_several_outputs():
    """The only output of floats is used, also next to a label; of several, one must be named."""
    np.testing.assert_allclose(
        px.interop.from_onnx(model_bytes(extra=["label"]), output=None)(X), X @ W, rtol=1e-5
    )
    with pytest.raises(InvalidParameterError, match=r"several outputs.*'twin' \(tensor\(float\)\)"):
        px.interop.from_onnx(model_bytes(extra=["twin"]))
    named = px.interop.from_onnx(model_bytes(extra=["twin"]), answer="twin", output=None)
    np.testing.assert_allclose(named(X), X @ W, rtol=1e-5)
    with pytest.raises(InvalidParameterError, match=r"answer must be the name.*'scores'"):
        px.interop.from_onnx(model_bytes(), answer="score")


def with_outputs(*kinds):
    """x @ W with several kinds of outputs: its label, its floats, or its probabilities in maps."""
    helper, types = onnx.helper, onnx.TensorProto
    ml = "ai.onnx.ml"
    nodes = [helper.make_node("MatMul", ["x", "W"], ["scores"])]
    outputs = []
    for number, kind in enumerate(kinds):
        name = f"{kind}{number}"
        if kind == "label":
            nodes.append(helper.make_node("ArgMax", ["scores"], [name], axis=1, keepdims=0))
            outputs.append(helper.make_tensor_value_info(name, types.INT64, ["n"]))
        elif kind == "floats":
            nodes.append(helper.make_node("Identity", ["scores"], [name]))
            outputs.append(helper.make_tensor_value_info(name, types.FLOAT, ["n", 3]))
        else:
            classes = {"classlabels_int64s": [0, 1, 2]}
            nodes.append(helper.make_node("ZipMap", ["scores"], [name], domain=ml, **classes))
            value = helper.make_tensor_type_proto(types.FLOAT, None)
            of_maps = helper.make_sequence_type_proto(
                helper.make_map_type_proto(types.INT64, value)
            )
            outputs.append(helper.make_value_info(name, of_maps))
    entry = helper.make_tensor_value_info("x", types.FLOAT, ["n", 4])
    weights = onnx.numpy_helper.from_array(W.astype(np.float32), "W")
    graph = helper.make_graph(nodes, "network", [entry], outputs, [weights])
    opset = [helper.make_opsetid("", 17), helper.make_opsetid(ml, 3)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("label",), r"no output of floats.*labels, not scores.*answer='label0' and output=None"),
        (("label", "floats", "floats"), r"several outputs.*answer='floats1'\.$"),
        (("floats", "maps"), r"several outputs.*answer='floats0'\.$"),
    ],
)
def test_a_label_is_not_taken_for_scores(kinds, said):
    """Without exactly one output of floats, the error says what to convert or to name."""
    with pytest.raises(InvalidParameterError, match=said):
        px.interop.from_onnx(with_outputs(*kinds))


def test_probabilities_in_maps_become_columns():
    """A map from class to score has the scores of the array, and its classes are names."""
    predict = px.interop.from_onnx(with_outputs("label", "maps"), output=None)
    np.testing.assert_allclose(predict(X), X @ W, rtol=2e-6, atol=1e-6)
    assert predict.output_names == ("0", "1", "2")
    assert (
        connect(predict, X, 7, None).resolution
        == connect(lambda x: x[:, 0].astype("f4"), X, 7, None).resolution
    )
    named = px.interop.from_onnx(with_outputs("maps"), output=None, output_names=["a", "b", "c"])
    assert named.output_names == ("a", "b", "c")
    label = px.interop.from_onnx(with_outputs("label", "maps"), answer="label0", output=None)
    np.testing.assert_array_equal(label(X), (X @ W).argmax(axis=1))


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_pipeline_of_columns_takes_a_frame(zipmap):
    """Numbers and texts are found by name in any order; the scores are scikit-learn's."""
    skl2onnx = pytest.importorskip("skl2onnx")
    compose = pytest.importorskip("sklearn.compose")
    pd = pytest.importorskip("pandas")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "hours-per-week": rng.normal(40, 9, size=60).astype("f4"),
            "job": rng.choice(["clerk", "chef", "nurse"], 60),
            "age": rng.integers(18, 70, 60),
        }
    )
    y = np.where(rows["age"] + 20 * (rows["job"] == "chef") > 50, "rich", "poor")
    parts = (StandardScaler(), ["hours-per-week", "age"]), (OneHotEncoder(), ["job"])
    model = make_pipeline(compose.make_column_transformer(*parts), LogisticRegression()).fit(
        rows, y
    )
    opset = {"target_opset": {"": 17, "ai.onnx.ml": 3}}
    converted = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": zipmap}, **opset)
    predict = px.interop.from_onnx(converted.SerializeToString(), output=None)
    backwards = rows[rows.columns[::-1]].astype({"job": "category"})
    np.testing.assert_allclose(predict(backwards), model.predict_proba(rows), atol=1e-5)
    assert predict.output_names == ("poor", "rich")
    columns = predict.columns(["age", "hours_per", "hours per week"])
    assert columns == {"hours_per_week": "hours per week", "job": None, "age": "age"}
    for batch, said in [
        (
            rows.to_numpy(),
            r"input for each of the columns 'hours_per_week', .* pass a D",
        ),
        (rows.rename(columns={"job": "jobs"}), r"input 'job', and X has no such column.*'jobs'"),
        (rows.assign(job=None), "input 'job' takes texts: got None. Missing texts need a text"),
        (rows.assign(age="old"), "input 'age' takes numbers; the column has .*such as 'old'"),
        (rows.assign(age=0.5), "input 'age' takes int64, and would cut floats"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            predict(batch)


def test_a_network_of_texts_takes_a_list():
    """Words of a text are explained through a pipeline that starts from strings."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["good food", "good place", "cold food", "cold place"]
    model = make_pipeline(CountVectorizer(lowercase=False), LogisticRegression()).fit(
        texts, [1, 1, 0, 0]
    )
    opset = {"target_opset": {"": 17, "ai.onnx.ml": 3}}
    types = [("text", StringTensorType([None, 1]))]
    converted = skl2onnx.to_onnx(model, initial_types=types, options={"zipmap": False}, **opset)
    predict = px.interop.from_onnx(converted.SerializeToString(), output=None)
    np.testing.assert_allclose(predict(texts), model.predict_proba(texts), atol=1e-5)
    found = px.KernelShap(predict, outputs=1).explain("good food")
    assert found.values[0] > 0.1 > abs(found.values[1])


def test_probabilities_are_not_made_twice():
    """A network that ends with a softmax is refused, except with output=None."""
    with pytest.raises(PredictFnError, match=r"already are probabilities.*output=None"):
        px.interop.from_onnx(model_bytes(ends_with="Softmax"))(X)
    found = px.interop.from_onnx(model_bytes(ends_with="Softmax"), output=None)(X)
    np.testing.assert_allclose(found, softmax(X @ W), rtol=1e-5)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (X[:, :3], r"input 'x' takes \(n, 4\); got \(7, 3\)"),
        (X[0], r"takes \(n, 4\); got \(4,\)"),
        (np.zeros((2, 8, 8, 3)), r"takes \(n, 4\); got \(2, 8, 8, 3\)"),
    ],
)
def test_shapes_that_do_not_fit(batch, said):
    """The error gives the shape that the network declares."""
    with pytest.raises(InvalidInputError, match=said):
        px.interop.from_onnx(model_bytes())(batch)


def test_photos_without_preprocess_are_told_of_it():
    """Channels last for a network with channels first: the error names the remedy."""
    with pytest.raises(InvalidInputError, match=r"takes \(n, 3, 8, 4\).*ImagePreprocess"):
        px.interop.from_onnx(model_bytes(shape=("n", 3, 8, 4)))(np.zeros((2, 8, 4, 3)))


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ("no/such.onnx", {}, "there is no file 'no/such.onnx'"),
        (b"not a network", {}, "onnxruntime cannot open 13 bytes"),
        (3, {}, r"model must be the path of an .onnx file, its bytes, or an onnxruntime.Inf"),
        (model_bytes(inputs=("x", "y")), {}, r"one input of numbers or texts, .*has x .*, y "),
        (model_bytes(), {"threads": 0}, "threads must be an integer of at least 1"),
        (model_bytes(), {"output": "prob"}, "output must be one of"),
        (onnx.load_from_string(model_bytes()), {}, r"model.SerializeToString\(\)"),
    ],
)
def test_settings_that_cannot_be(model, settings, said):
    """Wrong settings are refused by name when the predict_fn is created."""
    with pytest.raises(InvalidParameterError, match=said):
        px.interop.from_onnx(model, **settings)


def test_a_session_has_its_own_settings():
    """threads and providers are refused with a session; a bare session is not a predict_fn."""
    session = onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])
    with pytest.raises(InvalidParameterError, match="threads must be None where a session"):
        px.interop.from_onnx(session, threads=2)
    with pytest.raises(InvalidParameterError, match="providers must be None where a session"):
        px.interop.from_onnx(session, providers=["CPUExecutionProvider"])
    with pytest.raises(InvalidParameterError, match=r"px.interop.from_onnx\(session\)"):
        px.KernelShap(session).fit(X)


def test_its_name_says_what_it_is(tmp_path):
    """Its repr names the file and the output."""
    path = tmp_path / "network.onnx"
    path.write_bytes(model_bytes())
    shown = repr(px.interop.from_onnx(path, output=None))
    assert shown == "<predict_fn: network.onnx (onnx), answers as they are>"


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    """An ImportError in one line, before anything else is checked."""
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[onnx\]"'):
        px.interop.from_onnx("no/such.onnx")
