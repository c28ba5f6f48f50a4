"""ONNX graphs: predictions are those of ONNX Runtime itself, and of the model exported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, LoadError, SchemaMismatch

X, Y = load_iris(return_X_y=True, as_frame=True)
VALUE = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("1", "0"))
NAMED = Target(TargetType.BINARY, ("ill", "well"))
CLASSES = Target(TargetType.MULTICLASS, ("a", "b", "c"))
MODEL = LogisticRegression(max_iter=500).fit(X, Y == 1)


@pytest.fixture(scope="module")
def onnx(need):
    need("onnxruntime")
    need("onnx.helper")
    return need("onnx")


def graph(onnx, nodes, inputs, outputs, initializers=()):
    helper = onnx.helper
    made = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, list(initializers)),
        opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    onnx.checker.check_model(made)
    return made.SerializeToString()


def value(onnx, name, kind, shape):
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)


def linear(onnx, *, batch=None, kind="FLOAT", weights=((1.0,), (2.0,), (3.0,), (4.0,))):
    """Rows times weights."""
    matrix = np.array(weights, np.float32 if kind == "FLOAT" else np.float64)
    rows, columns = matrix.shape
    return graph(
        onnx,
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        [value(onnx, "x", kind, [batch, rows])],
        [value(onnx, "y", kind, [batch, columns])],
        [onnx.numpy_helper.from_array(matrix, "w")],
    )


def classifier(onnx, *, maps=True):
    """A scikit-learn classifier as its exporters write it: labels, then probabilities."""
    make = onnx.helper.make_node
    coefficients = np.concatenate([-MODEL.coef_, MODEL.coef_]).ravel().tolist()
    intercepts = [-MODEL.intercept_[0], MODEL.intercept_[0]]
    nodes = [
        make(
            "LinearClassifier",
            ["x"],
            ["label", "raw"],
            domain="ai.onnx.ml",
            classlabels_ints=[0, 1],
            coefficients=coefficients,
            intercepts=intercepts,
            post_transform="LOGISTIC",
        )
    ]
    label = value(onnx, "label", "INT64", [None])
    inputs = [value(onnx, "x", "FLOAT", [None, 4])]
    if not maps:
        nodes.append(make("Identity", ["raw"], ["probabilities"]))
        return graph(onnx, nodes, inputs, [label, value(onnx, "probabilities", "FLOAT", [None, 2])])
    nodes.append(make("ZipMap", ["raw"], ["probs"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]))
    map_type = onnx.helper.make_map_type_proto(
        onnx.TensorProto.INT64, onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None)
    )
    sequence = onnx.helper.make_sequence_type_proto(map_type)
    return graph(onnx, nodes, inputs, [label, onnx.helper.make_value_info("probs", sequence)])


def test_one_output(opened, onnx):
    model = opened(VALUE, "model.onnx", linear(onnx))
    expected = X.to_numpy(np.float32) @ np.array([1, 2, 3, 4], np.float32)
    np.testing.assert_allclose(model.predict(X)["Predictions"], expected, rtol=1e-6)
    assert (model.info.framework, model.info.matrix, model.batchable) == ("onnx", True, False)


def test_doubles(opened, onnx):
    found = opened(VALUE, "model.onnx", linear(onnx, kind="DOUBLE")).predict(X)["Predictions"]
    np.testing.assert_allclose(found, X.to_numpy() @ [1, 2, 3, 4], rtol=1e-15)


@pytest.mark.parametrize("maps", [True, False])
def test_probabilities_among_several_outputs(opened, onnx, maps):
    found = opened(BINARY, "model.onnx", classifier(onnx, maps=maps)).predict(X)
    assert list(found.columns) == ["0", "1"]
    np.testing.assert_allclose(found, MODEL.predict_proba(X), rtol=1e-4)


def test_classes_that_are_no_labels_are_applied_by_position(opened, onnx):
    found = opened(NAMED, "model.onnx", classifier(onnx)).predict(X)
    assert list(found.columns) == ["well", "ill"]  # the negative class first
    np.testing.assert_allclose(found["ill"], MODEL.predict_proba(X)[:, 1], rtol=1e-4)


def test_no_rows(opened, onnx):
    model = opened(BINARY, "model.onnx", classifier(onnx, maps=False))
    with pytest.raises(InvalidInput, match="the table has no rows"):
        model.predict(X.iloc[:0])


def test_a_batch_of_one(opened, onnx):
    model = opened(VALUE, "model.onnx", linear(onnx, batch=1))
    expected = X.to_numpy(np.float32) @ np.array([1, 2, 3, 4], np.float32)
    np.testing.assert_allclose(model.predict(X)["Predictions"], expected, rtol=1e-6)


def test_a_batch_that_does_not_divide(opened, onnx):
    model = opened(VALUE, "model.onnx", linear(onnx, batch=4))
    with pytest.raises(SchemaMismatch, match=r"takes 4 row\(s\) at a time: found 6"):
        model.predict(X.iloc[:6])


def test_an_input_for_each_column(opened, onnx):
    """Numbers and text by the inputs' names, whatever the order of the columns."""
    make = onnx.helper.make_node
    content = graph(
        onnx,
        [
            make(
                "LabelEncoder",
                ["colour"],
                ["code"],
                domain="ai.onnx.ml",
                keys_strings=["red", "blue"],
                values_floats=[10.0, 20.0],
                default_float=-1.0,
            ),
            make("Add", ["size", "code"], ["y"]),
        ],
        [value(onnx, "size", "FLOAT", [None, 1]), value(onnx, "colour", "STRING", [None, 1])],
        [value(onnx, "y", "FLOAT", [None, 1])],
    )
    model = opened(VALUE, "model.onnx", content)
    frame = pd.DataFrame({"colour": ["red", None, "blue"], "other": 0, "size": [1.0, 2.0, 3.0]})
    assert model.predict(frame)["Predictions"].tolist() == [11.0, 1.0, 23.0]
    assert [(c.name, c.kind) for c in model.info.columns] == [
        ("size", "number"),
        ("colour", "text"),
    ]
    with pytest.raises(SchemaMismatch, match="'colour' are missing"):
        model.predict(frame[["size"]])


def test_wrong_width(opened, onnx):
    with pytest.raises(SchemaMismatch, match=r"takes 4 column\(s\)"):
        opened(VALUE, "model.onnx", linear(onnx)).predict(X.iloc[:, :2])
    with pytest.raises(LoadError, match=r"answers 1 column\(s\): expected 3"):
        opened(CLASSES, "model.onnx", linear(onnx))


def test_a_broken_file(opened, onnx):
    with pytest.raises(LoadError, match=r"model\.onnx"):
        opened(VALUE, "model.onnx", b"no graph")


TEXTS = ["007", "1.0", "NA", "true", "1000"]


def encoder(onnx, width):
    """Texts as numbers, -1 for others; and the rows' sums."""
    make = onnx.helper.make_node
    nodes = [
        make(
            *("LabelEncoder", ["x"], ["code"]),
            domain="ai.onnx.ml",
            keys_strings=TEXTS,
            values_floats=[1.0, 10.0, 100.0, 1000.0, 10000.0],
            default_float=-1.0,
        ),
        make("ReduceSum", ["code", "axis"], ["y"], keepdims=1),
    ]
    return graph(
        onnx,
        nodes,
        [value(onnx, "x", "STRING", [None, width])],
        [value(onnx, "y", "FLOAT", [None, 1])],
        [onnx.numpy_helper.from_array(np.array([1]), "axis")],
    )


@pytest.mark.parametrize("width", [2, None])
def test_one_input_of_texts(opened, onnx, width):
    model = opened(VALUE, "model.onnx", encoder(onnx, width))
    frame = pd.DataFrame({"a": TEXTS, "b": [*TEXTS[1:], ""]})
    assert model.predict(frame)["Predictions"].tolist() == [11.0, 110.0, 1100.0, 11000.0, 9999.0]
    assert [column.kind for column in model.info.columns] == ["text"] * (width or 0)


def whole(onnx, kind="INT64"):
    return graph(
        onnx,
        [onnx.helper.make_node("Cast", ["x"], ["y"], to=onnx.TensorProto.DOUBLE)],
        [value(onnx, "x", kind, [None, 1])],
        [value(onnx, "y", "DOUBLE", [None, 1])],
    )


def test_whole_numbers_are_never_cut(opened, onnx):
    model = opened(VALUE, "model.onnx", whole(onnx))
    assert model.predict(pd.DataFrame({"n": [7.0, -3.0]}))["Predictions"].tolist() == [7.0, -3.0]
    assert [column.kind for column in model.info.columns] == ["integer"]
    for cell in (2.5, np.nan, 1e300):
        with pytest.raises(SchemaMismatch, match="column 'n', row 2"):
            model.predict(pd.DataFrame({"n": [1.0, cell]}))
    small = opened(VALUE, "model.onnx", whole(onnx, "INT8"))
    with pytest.raises(SchemaMismatch, match=r"row 1: found 300 .*int8, which cannot hold it"):
        small.predict(pd.DataFrame({"n": [300]}))


def test_a_number_too_large_for_the_graph(opened, onnx):
    frame = X.copy()
    frame.iloc[3, 1] = 1e39
    with pytest.raises(SchemaMismatch, match=r"row 4: found 1e\+39 .*float32"):
        opened(VALUE, "model.onnx", linear(onnx)).predict(frame)


def test_an_input_of_several_columns_beside_others(opened, onnx):
    make = onnx.helper.make_node
    content = graph(
        onnx,
        [
            make("ReduceSum", ["sizes", "axis"], ["sum"], keepdims=1),
            make("Cast", ["flag"], ["one"], to=onnx.TensorProto.FLOAT),
            make("Add", ["sum", "one"], ["y"]),
        ],
        [value(onnx, "sizes", "FLOAT", [None, 2]), value(onnx, "flag", "BOOL", [None, 1])],
        [value(onnx, "y", "FLOAT", [None, 1])],
        [onnx.numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = opened(VALUE, "model.onnx", content)
    frame = pd.DataFrame({"flag": [True, False], "sizes.1": [20.0, 40.0], "sizes.0": [1.0, 2.0]})
    assert model.predict(frame)["Predictions"].tolist() == [22.0, 42.0]
    with pytest.raises(SchemaMismatch, match="'flag', row 2"):
        model.predict(frame.assign(flag=[True, None]))
