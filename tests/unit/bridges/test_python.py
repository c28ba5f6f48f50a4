from __future__ import annotations

import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from support.made_models import made_models

from polyhost.bridges.python import doctor
from polyhost.bridges.python.frameworks.estimators import is_row_wise, takes_matrix
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    GuestStatus,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    SchemaMismatch,
    SettingsError,
)
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

MODELS = Path(__file__).parents[2] / "models"
VALUE = Target(TargetType.REGRESSION)
IRIS = load_iris(as_frame=True)
SPECIES = Target(TargetType.MULTICLASS, tuple(map(str, IRIS.target_names)))
NAMES = IRIS.target_names[IRIS.target]


@pytest.fixture
def opened(tmp_path):
    """Open a code dir of files: text for custom.py, a model for any artifact."""
    predictors = []

    def open_with(target=VALUE, custom=None, **artifacts):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        if custom:
            (folder / "custom.py").write_text(custom, encoding="utf-8")
        for name, model in artifacts.items():
            content = model if isinstance(model, bytes) else pickle.dumps(model)
            (folder / f"{name}.pkl").write_bytes(content)
        spec = ModelSpec(
            folder,
            "python",
            target,
            Path("custom.py") if custom else None,
            tuple(Path(f"{name}.pkl") for name in artifacts),
        )
        predictors.append(open_predictor(spec))
        return predictors[-1]

    yield open_with
    for predictor in predictors:
        predictor.close()


def csv(frame: pd.DataFrame) -> Payload:
    return Payload(frame.to_csv(index=False).encode(), "text/csv")


def predicted(scores) -> pd.DataFrame:
    return scores.predictions.to_pandas()


def probabilities(model, frame) -> pd.DataFrame:
    return pd.DataFrame(model.predict_proba(frame), columns=[str(c) for c in model.classes_])


# Built-in models


@pytest.mark.parametrize("scenario", ["regression", "binary", "multiclass"])
def test_scikit_learns_own_predictions(tmp_path_factory, scenario):
    folder = made_models("python", tmp_path_factory) / scenario
    expected = pd.read_csv(folder / "expected.csv")
    kind = TargetType(scenario)
    labels = tuple(expected.columns) if kind.is_classification else ()
    artifact = (Path("model.pkl"),)
    spec = ModelSpec(folder / "model", "python", Target(kind, labels), artifacts=artifact)
    predictor = open_predictor(spec)
    body = (folder / "input.csv").read_bytes()
    pd.testing.assert_frame_equal(predicted(predictor.predict(Payload(body))), expected)
    table = Table.from_pandas(pd.read_csv(folder / "input.csv"))
    pd.testing.assert_frame_equal(predicted(predictor.predict(table)), expected)
    predictor.close()


FRAMED = ColumnTransformer([("scale", StandardScaler(), [IRIS.data.columns[0]])])
NUMERIC = {
    "pipeline": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(10, random_state=1),
    "voting": VotingClassifier([("l", LogisticRegression())], voting="soft"),
    "search": GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
    "boosting": HistGradientBoostingClassifier(max_iter=5),
}
BY_NAME = {
    "columns": make_pipeline(FRAMED, LogisticRegression()),
    "function": make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression()),
    "output": make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
}


@pytest.mark.parametrize("name", [*NUMERIC, *BY_NAME])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_a_matrix_and_a_frame_give_the_same(opened, name):
    model = {**NUMERIC, **BY_NAME}[name].fit(IRIS.data, NAMES)
    assert takes_matrix(model) is (name in NUMERIC)
    predictor = opened(SPECIES, model=model)
    rows = IRIS.data.iloc[::7].reset_index(drop=True)
    expected = probabilities(model, rows)
    shuffled = rows[[*reversed(rows.columns)]]
    matrix = Table.from_matrix(rows.columns, rows.to_numpy())
    for request in (csv(rows), Table.from_pandas(rows), matrix, csv(shuffled)):
        pd.testing.assert_frame_equal(predicted(predictor.predict(request)), expected)
    assert predictor.info.guest.columns[0].name == IRIS.data.columns[0]
    assert predictor.info.guest.schema_source == "model"


@pytest.mark.parametrize("name", ["forest", "columns"])
def test_columns_that_it_does_not_know_are_ignored(opened, name, caplog):
    model = {**NUMERIC, **BY_NAME}[name].fit(IRIS.data, NAMES)
    predictor = opened(SPECIES, model=model)
    rows = csv(IRIS.data.assign(extra=1)[["extra", *reversed(IRIS.data.columns)]])
    found = predicted(predictor.predict(rows))
    pd.testing.assert_frame_equal(found, probabilities(model, IRIS.data))
    assert "column(s) that the model does not know are ignored: 'extra'" in caplog.text


def test_a_model_without_names_takes_columns_by_position(opened):
    model = LinearRegression().fit(IRIS.data.to_numpy(), IRIS.target)
    predictor = opened(model=model)
    rows = IRIS.data.rename(columns=lambda name: name.upper())
    found = predicted(predictor.predict(csv(rows)))["Predictions"]
    assert np.allclose(found, model.predict(IRIS.data.to_numpy()))
    with pytest.raises(SchemaMismatch, match=r"takes 4 column\(s\) by position: found 1: 'a'"):
        predictor.predict(Payload(b"a\n1\n"))


def test_missing_columns_are_named(opened):
    predictor = opened(model=LinearRegression().fit(IRIS.data, IRIS.target))
    with pytest.raises(SchemaMismatch) as raised:
        predictor.predict(csv(IRIS.data.iloc[:, 1:3]))
    assert raised.value.missing == [IRIS.data.columns[0], IRIS.data.columns[3]]


@pytest.mark.parametrize("cell", ["abc", "", "1_0x"])
def test_cells_that_the_model_cannot_take(opened, cell):
    predictor = opened(model=LinearRegression().fit(pd.DataFrame({"a": [1, 2]}), [1, 2]))
    with pytest.raises(SchemaMismatch):
        predictor.predict(Payload(f"a\n{cell}\n".encode()))
    with pytest.raises(SchemaMismatch):
        predictor.predict(Table(["a"], [np.array([cell or None], object)]))


def test_text_columns_go_to_encoders_as_they_are(opened):
    frame = pd.DataFrame({"colour": ["red", "blue", "red"], "n": [1, 2, 3]})
    encode = ColumnTransformer([("c", OneHotEncoder(), ["colour"])], remainder="passthrough")
    model = make_pipeline(encode, Ridge()).fit(frame, [1, 2, 3])
    predictor = opened(model=model)
    assert np.allclose(
        predicted(predictor.predict(csv(frame)))["Predictions"], model.predict(frame)
    )
    table = Table.from_pandas(frame)
    assert np.allclose(predicted(predictor.predict(table))["Predictions"], model.predict(frame))
    with pytest.raises(SchemaMismatch, match="was not trained with 'green'"):
        predictor.predict(Payload(b"colour,n\ngreen,1\n"))


def test_one_hot_encoders_of_text_take_no_matrix():
    model = make_pipeline(OneHotEncoder(), Ridge()).fit(pd.DataFrame({"c": ["x", "y"]}), [1, 2])
    assert not takes_matrix(model)
    assert is_row_wise(model)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LogisticRegression(), True),
        (make_pipeline(StandardScaler(), RandomForestClassifier()), True),
        (make_pipeline(FunctionTransformer(), Ridge()), False),
        (make_pipeline(CountVectorizer(), LogisticRegression()), True),
        (DummyClassifier(strategy="stratified"), False),
        (DummyClassifier(strategy="prior"), True),
        (type("Mine", (LinearRegression,), {})(), False),
    ],
)
def test_what_is_known_to_treat_rows_alone(model, expected):
    assert is_row_wise(model) is expected


def test_one_array_for_each_label_of_a_multilabel_model(opened):
    labels = np.column_stack([IRIS.target == 0, IRIS.target == 1])
    model = MultiOutputClassifier(LogisticRegression(max_iter=500)).fit(IRIS.data, labels)
    target = Target(TargetType.MULTILABEL, ("first", "second"))
    found = predicted(opened(target, model=model).predict(csv(IRIS.data)))
    assert list(found.columns) == ["first", "second"]
    assert np.allclose(found["second"], model.predict_proba(IRIS.data)[1][:, 1])


def test_wrong_labels_fail_at_load(opened):
    model = LogisticRegression(max_iter=500).fit(IRIS.data, NAMES)
    with pytest.raises(SettingsError, match="to have columns"):
        opened(Target(TargetType.MULTICLASS, ("a", "b", "c")), model=model)


def test_a_classifier_without_probabilities_fails_at_load(opened):
    with pytest.raises(LoadError, match="LinearSVC has no predict_proba"):
        opened(SPECIES, model=LinearSVC().fit(IRIS.data, NAMES))


def test_joblib_files_load_under_both_names(opened, tmp_path):
    model = LinearRegression().fit(np.arange(4.0).reshape(-1, 1), range(4))
    joblib.dump(model, tmp_path / "model.joblib")
    spec = ModelSpec(tmp_path, "python", VALUE, artifacts=(Path("model.joblib"),))
    predictor = open_predictor(spec)
    assert predicted(predictor.predict(Payload(b"a\n2\n")))["Predictions"].tolist() == [2.0]
    predictor.close()
    content = (tmp_path / "model.joblib").read_bytes()
    predictor = opened(model=content)
    assert predicted(predictor.predict(Payload(b"a\n2\n")))["Predictions"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no pickle at all", "An error occurred when loading your artifact: model.pkl: "),
        (b"cno_such_module\nThing\n.", "ModuleNotFoundError: No module named 'no_such_module'"),
        (b"", "EOFError"),
    ],
)
def test_an_artifact_that_cannot_be_loaded(opened, content, says):
    with pytest.raises(LoadError, match=says) as raised:
        opened(model=content)
    assert "Install the library" in raised.value.message


def test_a_model_of_no_known_library_needs_a_score_hook(opened):
    with pytest.raises(MissingHook):
        opened(model={"weights": [1, 2]})


# Hooks


def test_what_score_is_told(opened):
    predictor = opened(
        SPECIES,
        custom="""
import pandas as pd
seen = []
def load_model(code_dir): return seen
def score(data, model, **kwargs):
    model.append(kwargs)
    return pd.DataFrame(0.0, index=data.index, columns=kwargs["class_labels"]).assign(setosa=1.0)
""",
    )
    body = b"a,b\n1,2\n"
    predictor.predict(Payload(memoryview(body), "text/csv", "utf-8"))
    seen = sys.modules["custom"].seen
    assert seen == [
        {
            "target_type": TargetType.MULTICLASS,
            "binary_data": body,
            "mimetype": "text/csv",
            "charset": "utf-8",
            "sparse_colnames": None,
            "class_labels": list(SPECIES.labels),
        }
    ]
    assert seen[0]["target_type"].value == "multiclass"
    assert type(seen[0]["binary_data"]) is bytes


def test_a_hook_gets_only_what_it_takes(opened):
    predictor = opened(
        Target(TargetType.BINARY, ("yes", "no")),
        custom="""
import pandas as pd
def load_model(code_dir): return 1
def score(data, model, positive_class_label, negative_class_label):
    return pd.DataFrame({positive_class_label: [1.0], negative_class_label: [0.0]})
""",
    )
    assert predictor.predict(Payload(b"a\n1\n")).predictions.names == ("yes", "no")


def test_text_that_is_missing_is_nan_in_a_frame(opened):
    predictor = opened(
        custom="""
import pandas as pd
def load_model(code_dir): return 1
def score(data, model): return data["t"].isna().to_frame() * 1.0
"""
    )
    table = Table(["t"], [np.array(["x", None], object)])
    assert predicted(predictor.predict(table))["Predictions"].tolist() == [0.0, 1.0]


def test_an_exception_keeps_its_type_traceback_and_place(opened):
    predictor = opened(
        custom="def load_model(d): return 1\ndef score(data, model):\n    return data['zz']\n"
    )
    with pytest.raises(ModelError) as raised:
        predictor.predict(Payload(b"a\n1\n"))
    error = raised.value
    assert (error.native_type, error.hook, error.location) == ("KeyError", "score", "custom.py:3")
    assert "return data['zz']" in error.native_traceback
    assert "guest.py" not in error.native_traceback


def test_a_hook_may_ask_for_an_http_status(opened):
    predictor = opened(
        custom="""
class CustomHTTPError(Exception):
    status_code = 418
def load_model(d): return 1
def score(data, model): raise CustomHTTPError("short and stout")
"""
    )
    with pytest.raises(GuestStatus, match="short and stout") as raised:
        predictor.predict(Payload(b"a\n1\n"))
    assert raised.value.status == 418


def test_the_files_folder_comes_first_on_the_path_and_leaves_it(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "beside.py").write_text("VALUE = 3\n", encoding="utf-8")
    (inner / "custom.py").write_text(
        "import beside\ndef load_model(d): return beside.VALUE\ndef score(x, m): return x * m\n",
        encoding="utf-8",
    )
    before = list(sys.path)
    predictor = open_predictor(ModelSpec(tmp_path, "python", VALUE, Path("inner/custom.py")))
    assert predicted(predictor.predict(Payload(b"a\n2\n")))["Predictions"].tolist() == [6]
    predictor.close()
    assert sys.path == before
    del sys.modules["beside"]


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("[1, 2]", "found list"),
        ("('a', 1)", r"found tuple of \['str', 'int'\]"),
        ("('a', {}, 1)", "found tuple"),
        ("5", "found int"),
    ],
)
def test_unstructured_answers_of_the_wrong_type(opened, returned, says):
    predictor = opened(
        Target(TargetType.UNSTRUCTURED),
        custom=f"def load_model(d): return 1\ndef score_unstructured(m, d): return {returned}\n",
    )
    with pytest.raises(InvalidOutput, match=says):
        predictor.answer(Payload(b"x"))


def test_post_process_gives_a_frame(opened):
    custom = "def post_process(predictions, model): return [1]\n"
    predictor = opened(model=LinearRegression().fit(IRIS.data, IRIS.target), custom=custom)
    says = "Output of post_process hook must be a dataframe, but received <class 'list'>"
    with pytest.raises(InvalidOutput, match=says):
        predictor.predict(csv(IRIS.data))


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        ("def transform(x): return x", r"takes 1 parameter\(s\)"),
        ("def transform(x, m): return x, None", "transform returned a tuple"),
        ("def transform(x, m): return 5", "transform must return a dataframe, but received"),
    ],
)
def test_transform_hooks_that_do_not_fit(opened, transform, says):
    custom = f"def load_model(d): return 1\n{transform}\n"
    with pytest.raises((LoadError, InvalidOutput), match=says):
        opened(Target(TargetType.TRANSFORM), custom=custom).transform(Payload(b"a\n1\n"))


def test_a_transformer_transforms_by_itself(opened):
    frame = pd.DataFrame({"a": [1.0, 3.0]})
    predictor = opened(Target(TargetType.TRANSFORM), model=StandardScaler().fit(frame))
    found = predictor.transform(csv(frame))
    assert (found.names, found.columns[0].tolist()) == (("0",), [-1.0, 1.0])
    sparse = opened(Target(TargetType.TRANSFORM), model=OneHotEncoder().fit(frame))
    assert type(sparse.transform(csv(frame))).__name__ == "SparseTable"


# Ends of calls


BASE_EXCEPTIONS = """
import asyncio, sys
class Own(BaseException):
    def __str__(self): raise ValueError("no text")
KINDS = [SystemExit(3), asyncio.CancelledError("gone"), GeneratorExit(), KeyboardInterrupt(), Own()]
"""
RAISES = {
    "score": "def load_model(d): return 1\ndef score(x, m): raise KINDS[int(x['a'][0])]\n",
    "load_model": "def load_model(d): raise KINDS[NUMBER]\ndef score(x, m): return x\n",
    "init": "def init(code_dir): raise KINDS[NUMBER]\ndef score(x, m): return x\n",
    "import": "raise KINDS[NUMBER]\n",
}


@pytest.fixture
def own_handler():
    """SIGINT is not Python's own, as in a worker."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "kind"),
    list(enumerate(["SystemExit", "CancelledError", "GeneratorExit", "KeyboardInterrupt", "Own"])),
)
@pytest.mark.parametrize("hook", RAISES)
@pytest.mark.usefixtures("own_handler")
def test_whatever_a_hook_raises_is_its_error(opened, hook, number, kind):
    custom = BASE_EXCEPTIONS + RAISES[hook].replace("NUMBER", str(number))
    with pytest.raises((ModelError, LoadError)) as caught:
        opened(custom=custom).predict(Payload(b"a\n%d\n" % number))
    assert (caught.value.native_type, caught.value.hook) == (kind, hook)
    assert caught.value.location.startswith("custom.py:")


def test_an_interrupt_from_the_keyboard_passes(opened):
    custom = "def load_model(d): return 1\ndef score(x, m): raise KeyboardInterrupt\n"
    with pytest.raises(KeyboardInterrupt):
        opened(custom=custom).predict(Payload(b"a\n1\n"))


LOOPS = """
import time
import pandas as pd
def load_model(d): return 1
def score(x, m):
    if x["a"][0] == 1:
        while True: BODY
    return pd.DataFrame({"Predictions": x["a"]})
"""


@pytest.mark.parametrize("body", ["pass", "time.sleep(60)"])
def test_a_running_call_is_interrupted_on_the_main_thread(opened, body):
    predictor = opened(custom=LOOPS.replace("BODY", body))
    timer = threading.Timer(0.2, predictor.interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        predictor.predict(Payload(b"a\n1\n"))
    timer.join()
    assert predicted(predictor.predict(Payload(b"a\n2\n")))["Predictions"].tolist() == [2]
    assert predictor.interrupt() is False


def test_a_running_call_is_interrupted_on_another_thread(tmp_path):
    (tmp_path / "custom.py").write_text(LOOPS.replace("BODY", "pass"), encoding="utf-8")
    told = []
    ready = threading.Event()

    def run():
        told.append(open_predictor(ModelSpec(tmp_path, "python", VALUE, Path("custom.py"))))
        ready.set()
        for body in (b"a\n1\n", b"a\n2\n"):
            try:
                told.append(told[0].predict(Payload(body)).predictions.rows)
            except KeyboardInterrupt:
                told.append("interrupted")

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    while thread.is_alive() and len(told) < 2:
        time.sleep(0.05)
        told[0].interrupt()
    thread.join()
    assert told[1:] == ["interrupted", 1]
    told[0].close()


def test_the_doctor_names_what_is_here():
    assert [finding.what for finding in doctor()] == [
        *("Python", "pandas", "pyarrow", "scikit-learn")
    ]
    assert all(finding.ok for finding in doctor())


def test_a_read_hook_that_returns_nothing_is_named(opened):
    custom = (
        "def load_model(d): return 1\ndef read_input_data(d): pass\ndef score(x, m): return x\n"
    )
    with pytest.raises(InvalidOutput, match="read_input_data returned nothing") as caught:
        opened(custom=custom).predict(Payload(b"a\n1\n"))
    assert caught.value.hook == "read_input_data"


def test_classes_without_a_label_are_named(opened):
    custom = """
import pandas as pd
def load_model(d): return 1
def score(x, m): return pd.DataFrame({"a": [0.2], "b": [0.3], "c": [0.5]})
"""
    target = Target(TargetType.MULTICLASS, ("a", "b"))
    with pytest.raises(InvalidOutput, match=r"column\(s\) 'c' are taken as extra output: if one"):
        opened(target, custom=custom).predict(Payload(b"a\n1\n"))


@pytest.mark.parametrize(
    "form",
    [
        "init(code_dir): SEEN.append(code_dir)",
        "init(**kwargs): SEEN.append(kwargs['code_dir'])",
        "init(*, code_dir, **kwargs): SEEN.append(code_dir)",
        "init(folder): SEEN.append(folder)",
        "init(*args): SEEN.append(*args)",
        "init(): SEEN.append(None)",
    ],
)
def test_init_in_every_form(opened, form):
    custom = f"""
import os
import pandas as pd
SEEN = []
def {form}
def load_model(code_dir): return SEEN[0] in (None, code_dir)
def score(x, m): return pd.DataFrame({{"Predictions": [int(m)]}})
"""
    found = predicted(opened(custom=custom).predict(Payload(b"a\n1\n")))
    assert found["Predictions"].tolist() == [1]
