"""Models and hooks in R, driven as the pipeline drives them."""

from __future__ import annotations

import csv
import ctypes
import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support.made_models import made_models
from support.r_models import MODELS, context, open_guest, rscript, spec, write_hooks

from polyhost.data.payload import Payload, Table
from polyhost.errors import (
    InvalidInput,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    RuntimeUnavailable,
    SchemaMismatch,
    UnsupportedContentType,
)
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ColumnInfo, GuestInfo, Reply

pytestmark = pytest.mark.runtime("r")

TEXTS = (
    "data.frame(y = 1:30 / 7, x = 30:1, f = factor(rep(c('a', 'd', 'e'), 10)), "
    "s = rep(c('u', 'v'), 15), day = as.Date('2020-01-01') + 1:30, stringsAsFactors = FALSE)"
)
"""Rows with a factor, text and dates, to train with."""
IRIS = ("setosa", "versicolor", "virginica")
ROWS = Payload(b"a,b,name\n1,2,x\n3,4,y\n", "text/csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``made(scenario)``: the folder in which make.R put model, input and expected predictions."""
    return made_models("r", tmp_path_factory).joinpath


def saved(tmp_path, code):
    """A code dir with the model that this R code makes, and what ``expected`` is in it."""
    quoted = str(tmp_path / "model.rds")
    rscript(f"{code}; saveRDS(model, '{quoted}')")
    return tmp_path


def expected_of(folder):
    with (folder / "expected.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    return tuple(names), np.array(rows, float)


class TestBuiltin:
    @pytest.mark.parametrize(
        ("scenario", "labels", "names"),
        [
            ("regression", (), ("",)),
            ("binary", ("Yes", "No"), ("No", "Yes")),
            ("multiclass", IRIS, IRIS),
        ],
    )
    def test_caret_predicts_what_caret_predicts(self, made, scenario, labels, names):
        folder = made(scenario)
        guest = open_guest(folder / "model", scenario, labels)
        info = guest.describe()
        assert (info.framework, info.row_wise, info.matrix, info.predicts) == (
            "caret",
            True,
            True,
            True,
        )
        data = guest.read(Payload((folder / "input.csv").read_bytes(), "text/csv"))
        table = guest.predict(data, context(spec(folder / "model", scenario, labels)))
        _, expected = expected_of(folder)
        assert table.names == names
        assert np.array_equal(table.matrix, expected)

    def test_a_model_knows_its_columns_and_labels(self, made):
        guest = open_guest(made("multiclass") / "model", "multiclass", IRIS)
        assert guest.describe() == GuestInfo(
            framework="caret",
            labels=IRIS,
            columns=tuple(
                ColumnInfo(name, "number")
                for name in ("Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width")
            ),
            schema_source="model",
            row_wise=True,
            matrix=True,
            spelling="make.names",
            target_type="multiclass",
        )

    @pytest.mark.parametrize(
        ("model", "kind", "labels", "expected"),
        [
            ("lm(mpg ~ wt + hp, mtcars)", "regression", (), "predict(model, rows)"),
            (
                "glm(am ~ wt, binomial, mtcars)",
                "binary",
                ("1", "0"),
                "local({p <- predict(model, rows, type = 'response'); cbind(1 - p, p)})",
            ),
            (
                "rpart::rpart(factor(cyl) ~ wt + hp, mtcars)",
                "multiclass",
                ("4", "6", "8"),
                "predict(model, rows)",
            ),
            (
                "randomForest::randomForest(mpg ~ wt + hp, mtcars, ntree = 20)",
                "regression",
                (),
                "predict(model, rows)",
            ),
            (
                "randomForest::randomForest(mtcars[c('wt', 'hp')], factor(mtcars$cyl), ntree = 20)",
                "multiclass",
                ("4", "6", "8"),
                "predict(model, rows, type = 'prob')",
            ),
            (
                "ranger::ranger(factor(cyl) ~ wt + hp, mtcars, probability = TRUE, num.trees = 20)",
                "multiclass",
                ("4", "6", "8"),
                "predict(model, rows)$predictions",
            ),
        ],
    )
    def test_bare_models_predict_what_r_predicts(self, tmp_path, model, kind, labels, expected):
        if (
            model.startswith("ranger")
            and rscript("cat(nzchar(system.file(package='ranger')))") != "TRUE"
        ):
            pytest.skip("R package ranger is not installed")
        rds = tmp_path / "model.rds"
        code = f"""
            set.seed(1); model <- {model}; saveRDS(model, '{rds}'); rows <- mtcars[c('wt', 'hp')]
            cat(sprintf('%.17g', as.matrix(as.data.frame({expected}))), sep = ',')
        """
        native = np.array(rscript(code).split(","), float)
        rows = rscript("write.csv(mtcars[c('wt', 'hp')], row.names = FALSE)").encode()
        guest = open_guest(tmp_path, kind, labels)
        assert guest.describe().predicts
        table = guest.predict(guest.read(Payload(rows)), None)
        assert np.allclose(table.matrix.T.ravel(), native, rtol=1e-15, atol=0)
        if kind == "binary":
            assert table.names == ("0", "1")

    def test_text_becomes_the_factors_a_forest_was_trained_with(self, tmp_path):
        folder = saved(
            tmp_path,
            """set.seed(1); d <- data.frame(f = factor(rep(c('a', 'b'), 20)), x = 1:40)
            once <- caret::trainControl(method = 'none')
            model <- caret::train(d, 1:40 + (d$f == 'a') * 50, method = 'rf', ntree = 10,
              trControl = once, tuneGrid = data.frame(mtry = 2))""",
        )
        guest = open_guest(folder)
        guest.describe()
        table = guest.predict(guest.read(Payload(b"f,x\na,10\nb,10\n")), None)
        assert table.matrix[0, 0] > table.matrix[1, 0]
        with pytest.raises(
            SchemaMismatch, match=r"'f' holds values .* 'purple'; it knows 'a', 'b'"
        ):
            guest.predict(guest.read(Payload(b"f,x\npurple,10\n")), None)

    def test_rows_with_missing_values_come_back(self, tmp_path):
        folder = saved(
            tmp_path,
            """model <- caret::train(mpg ~ wt, mtcars, method = 'lm',
              trControl = caret::trainControl(method = 'none'))""",
        )
        guest = open_guest(folder)
        guest.describe()
        table = guest.predict(guest.wrap(Table(("wt",), (np.array([2.0, np.nan]),))), None)
        assert np.isnan(table.matrix[:, 0]).tolist() == [False, True]

    @pytest.mark.parametrize(
        ("rows", "says"),
        [
            (b"wt\n1\n", "columns are missing in the data: 'hp'; the model expects 'wt', 'hp'"),
            (b"wt,hp\nheavy,1\n", "column 'wt' holds text: 'heavy'; the model expects numbers"),
        ],
    )
    def test_wrong_columns_are_the_callers(self, tmp_path, rows, says):
        guest = open_guest(saved(tmp_path, "model <- lm(mpg ~ wt + hp, mtcars)"))
        guest.describe()
        with pytest.raises(SchemaMismatch, match=says):
            guest.predict(guest.read(Payload(rows)), None)

    @pytest.mark.parametrize(
        ("model", "kind", "labels", "says"),
        [
            ("'text'", "regression", (), "no predict method for class character"),
            ("lm(mpg ~ wt, mtcars)", "binary", ("a", "b"), "an lm has no class probabilities"),
            ("glm(am ~ wt, poisson, mtcars)", "binary", ("1", "0"), "its family is binomial"),
            ("lm(mpg ~ wt, mtcars)", "geopoint", (), "no built-in predict serves"),
            ("lm(cbind(mpg, wt) ~ hp, mtcars)", "regression", (), "it predicts several columns"),
            (
                "e1071::svm(Species ~ ., iris)",
                "multiclass",
                IRIS,
                "train it with probability = TRUE",
            ),
            (f"e1071::svm(y ~ f + s, {TEXTS})", "regression", (), r"no levels of column.*'f', 's'"),
            ("e1071::naiveBayes(Species ~ ., iris)", "regression", (), "it is a classifier"),
            ("MASS::lda(Species ~ ., iris)", "regression", (), "it is a classifier"),
            (f"nnet::nnet(y ~ x, {TEXTS}, size = 1)", "binary", ("a", "b"), "it is a regression"),
            (f"nnet::multinom(f ~ day, {TEXTS})", "multiclass", IRIS, "no class of column.*'day'"),
            (f"randomForest::randomForest(y ~ s, {TEXTS})", "regression", (), "no levels.*'s'"),
            (
                f"ranger::ranger(y ~ f, {TEXTS}, respect.unordered.factors = 'partition')",
                "regression",
                (),
                "no levels of its factors: 'f'",
            ),
            (
                f"local({{d <- {TEXTS}; caret::train(d[c('x', 's')], d$y, method = 'rf', ntree = 5,"
                " trControl = caret::trainControl(method = 'none'), tuneGrid = data.frame(mtry = 1))})",
                "regression",
                (),
                "no levels of text column.*'s'",
            ),
            (
                "gbm::gbm(Sepal.Length ~ Petal.Length, 'gaussian', iris, n.trees = 5)",
                "binary",
                ("a", "b"),
                "no class prob",
            ),
            (
                "glmnet::glmnet(as.matrix(iris[1:3]), iris[[4]])",
                "regression",
                (),
                "several lambdas",
            ),
            ("structure(list(), class = 'kmeans')", "binary", ("a", "b"), "no predict method"),
        ],
    )
    def test_what_the_builtin_cannot_serve_fails_at_load(self, tmp_path, model, kind, labels, says):
        guest = open_guest(saved(tmp_path, f"model <- {model}"), kind, labels)
        with pytest.raises(MissingHook, match=says):
            guest.describe()

    def test_a_method_that_takes_no_type_answers_no_probabilities(self, tmp_path):
        folder = saved(tmp_path, "model <- stats::loess(am ~ wt, mtcars)")
        guest = open_guest(folder, "binary", ("1", "0"))
        guest.describe()
        with pytest.raises(InvalidOutput, match="expected a column for each class"):
            guest.predict(guest.read(Payload(b"wt\n3\n")), None)

    def test_a_formula_that_looks_across_rows_is_not_batched(self, tmp_path):
        guest = open_guest(saved(tmp_path, "model <- lm(mpg ~ I(wt - mean(wt)), mtcars)"))
        assert not guest.describe().row_wise

    def test_packages_that_are_missing_are_all_named(self, tmp_path):
        code = "model <- structure(list(modelInfo = list(library = c('nosuch', 'neither'))), class = 'train')"
        with pytest.raises(
            RuntimeUnavailable, match=r"nosuch, neither.*r-cran-nosuch r-cran-neither"
        ):
            open_guest(saved(tmp_path, code))

    def test_an_artifact_that_is_none_is_a_load_error(self, tmp_path):
        (tmp_path / "model.rds").write_bytes(b"no model")
        with pytest.raises(LoadError, match=r"cannot read model.rds with readRDS"):
            open_guest(tmp_path)

    def test_a_recipe_is_baked(self, tmp_path):
        folder = saved(
            tmp_path,
            "library(recipes); model <- prep(step_center(recipe(mpg ~ wt, mtcars), wt))",
        )
        guest = open_guest(folder, "transform")
        assert guest.describe().predicts
        table = guest.apply_transformer(guest.read(Payload(b"wt\n3.21725\n")), None, None)
        assert table.names == ("wt",)
        assert table.columns[0] == pytest.approx([0.0], abs=1e-9)


class TestHooks:
    def test_a_made_syntactic_label_is_the_label(self, tmp_path):
        hooks = "score <- function(data, model) data.frame(`yes x` = 0.2, `no x` = 0.8, note = 'n')"
        guest = open_guest(write_hooks(tmp_path, hooks), "binary", ("yes x", "no x"))
        table = guest.unwrap(guest.hook("score", guest.read(ROWS), None))
        assert table.names == ("yes x", "no x", "note")

    def test_labels_reach_score(self, tmp_path):
        hooks = """score <- function(data, model, labels) {
          stopifnot(identical(labels$class_labels, c('x', 'y')), is.null(labels$positive_class_label))
          data.frame(x = 0.25, y = 0.75)
        }"""
        guest = open_guest(write_hooks(tmp_path, hooks), "multiclass", ("x", "y"))
        table = guest.unwrap(guest.hook("score", guest.read(ROWS), None))
        assert table.names == ("x", "y")

    def test_an_error_has_its_type_message_place_and_calls(self, tmp_path):
        hooks = """
inner <- function(x) {
  stop(structure(class = c("odd_value", "error", "condition"), list(message = "odd: é", call = NULL)))
}
score <- function(data, model) inner(data$a)
"""
        guest = open_guest(write_hooks(tmp_path, hooks))
        with pytest.raises(ModelError) as raised:
            guest.hook("score", guest.read(ROWS), None)
        error = raised.value
        assert (error.language, error.hook, error.native_type, error.native_message) == (
            "r",
            "score",
            "odd_value",
            "odd: é",
        )
        assert error.location == f"{tmp_path / 'custom.R'}:3"
        first, second, *_ = error.native_traceback.splitlines()
        assert (first, second) == ("1: score(data, model)", "2: inner(data$a)")

    def test_quit_is_an_error_of_the_request(self, tmp_path):
        guest = open_guest(write_hooks(tmp_path, "score <- function(data, model) quit(status = 3)"))
        with pytest.raises(ModelError, match="must not end its process"):
            guest.hook("score", guest.read(ROWS), None)

    def test_an_endless_recursion_is_an_error(self, tmp_path):
        hooks = "f <- function(n) f(n + 1) + 1\nscore <- function(data, model) f(1)"
        guest = open_guest(write_hooks(tmp_path, hooks))
        with pytest.raises(ModelError, match=r"infinite recursion|C stack usage"):
            guest.hook("score", guest.read(ROWS), None)

    @pytest.mark.parametrize("value", ["NULL", "1:3", "'text'", "list(1)", "quote(x + y)"])
    def test_what_is_no_frame_is_refused(self, tmp_path, value):
        guest = open_guest(write_hooks(tmp_path, f"score <- function(data, model) {value}"))
        with pytest.raises(InvalidOutput, match=r"score must return a data.frame, but returned"):
            guest.unwrap(guest.hook("score", guest.read(ROWS), None))

    @pytest.mark.parametrize(
        ("code", "says"),
        [
            ("a <- 1\n\nscore <- function( {", r"custom\.R:3:"),
            ("a <- 1\nstop('boom')\n", r"custom\.R:2: simpleError: boom"),
        ],
    )
    def test_a_custom_file_that_does_not_load_names_its_line(self, tmp_path, code, says):
        with pytest.raises(LoadError, match=says):
            open_guest(write_hooks(tmp_path, code))

    def test_a_library_that_is_missing_is_named(self, tmp_path):
        with pytest.raises(RuntimeUnavailable, match="r-cran-nosuch"):
            open_guest(write_hooks(tmp_path, "library(nosuch)"))

    def test_unstructured_needs_both_hooks(self, tmp_path):
        hooks = "score_unstructured <- function(model, data) data"
        with pytest.raises(MissingHook, match="'load_model' must be provided"):
            open_guest(write_hooks(tmp_path, hooks), "unstructured")

    def test_packages_that_a_file_mentions_are_attached(self, tmp_path):
        hooks = "score <- function(data, model) data.frame(n = stri_length(data$name))"
        guest = open_guest(write_hooks(tmp_path, hooks))
        table = guest.unwrap(guest.hook("score", guest.read(ROWS), None))
        assert table.columns[0].tolist() == [1, 1]

    def test_prints_go_to_the_process_descriptors(self, tmp_path, capfd):
        hooks = "score <- function(data, model) {cat('no line end'); warning('w'); data}"
        guest = open_guest(write_hooks(tmp_path, hooks))
        guest.hook("score", guest.read(ROWS), None)
        assert capfd.readouterr() == ("no line end", "Warning in score: w\n")

    def test_an_interrupt_stops_a_loop(self, tmp_path):
        guest = open_guest(write_hooks(tmp_path, "score <- function(data, model) repeat NULL"))
        data = guest.read(ROWS)
        threading.Timer(0.3, guest.interrupt).start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            guest.hook("score", data, None)
        assert time.monotonic() - started < 5
        assert guest.rows(guest.read(ROWS)) == 2

    def test_an_interrupt_between_calls_is_forgotten(self, tmp_path):
        guest = open_guest(write_hooks(tmp_path, "score <- function(data, model) data['a']"))
        guest.interrupt()
        assert guest.unwrap(guest.hook("score", guest.read(ROWS), None)).rows == 2

    def test_another_thread_is_refused(self, tmp_path):
        guest = open_guest(write_hooks(tmp_path, "score <- function(data, model) data['a']"))
        caught = []

        def call():
            try:
                guest.read(ROWS)
            except RuntimeUnavailable as error:
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert len(caught) == 1

    def test_all_hooks_in_order(self):
        predictor = open_predictor(spec(MODELS / "all_hooks/r"))
        scores = predictor.predict(Payload(b"# note\na,b,name\n1,2,x\n", "text/csv"))
        assert scores.predictions.columns[0].tolist() == [1015.0]

    def test_other_types_are_for_read_input_data(self, tmp_path):
        guest = open_guest(write_hooks(tmp_path, "score <- function(data, model) data"))
        with pytest.raises(UnsupportedContentType, match="image/png"):
            guest.read(Payload(b"", "image/png"))


class TestUnstructured:
    @pytest.fixture
    def guest(self, tmp_path):
        hooks = """
load_model <- function(code_dir) "m"
score_unstructured <- function(model, data, query, headers = NULL, ...) {
  switch(query$mode,
    echo = data,
    nothing = NULL,
    pair = list(data, list(mimetype = "a/b", charset = "utf-16")),
    about = paste(model, query$x, headers$Host, list(...)$mimetype, list(...)$charset),
    list = list(1, 2, 3)
  )
}
"""
        return open_guest(write_hooks(tmp_path, hooks), "unstructured")

    def ask(self, guest, data, mode, **about):
        payload = Payload(b"", query=(("mode", mode), ("x", "first"), ("x", "second")), **about)
        return guest.unstructured(data, context(spec(Path()), payload))

    @pytest.mark.parametrize(
        "data", ["", "text é 😀\nline", b"", b"\x00\x01\xff", bytes(3_000_000)]
    )
    def test_text_and_bytes_both_ways(self, guest, data):
        assert self.ask(guest, data, "echo") == Reply(data)

    def test_nothing_and_a_pair(self, guest):
        assert self.ask(guest, "a", "nothing") == Reply(None)
        assert self.ask(guest, "a", "pair") == Reply("a", "a/b", "utf-16")

    def test_what_is_known_of_the_request(self, guest):
        reply = self.ask(
            guest, "a", "about", mimetype="text/plain", charset="utf8", headers={"Host": "h"}
        )
        assert reply == Reply("m first h text/plain utf8")

    def test_other_results_are_refused(self, guest):
        with pytest.raises(InvalidOutput, match="found a list of 3"):
            self.ask(guest, "a", "list")

    def test_text_that_r_would_cut_is_refused(self, guest):
        with pytest.raises(InvalidInput, match="NUL"):
            self.ask(guest, "a\0b", "echo")


def test_memory_is_flat_over_many_calls(tmp_path):
    hooks = "score <- function(data, model) data.frame(Predictions = data$x, t = data$t)"
    guest = open_guest(write_hooks(tmp_path, hooks))
    table = Table(
        ("x", "t"),
        (np.arange(5000.0), np.array([f"text {i}" for i in range(5000)], object)),
    )

    def call(times):
        for _ in range(times):
            guest.unwrap(guest.hook("score", guest.wrap(table), None))
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    call(100)
    before = call(50)
    assert call(150) - before < 30  # MB; 150 calls made some 60 MB of columns


def test_the_hooks_in_the_documentation_run(tmp_path):
    page = (MODELS.parent.parent / "docs/languages/r.md").read_text(encoding="utf-8")
    code_dir = write_hooks(tmp_path, page.split("```r\n")[1].split("```")[0])
    saved(tmp_path, "d <- data.frame(y = 1:9, ratio = 1:9); model <- lm(y ~ ratio, d)")
    scores = open_predictor(spec(code_dir)).predict(Payload(b"a,b\n6,2\n", "text/csv"))
    assert scores.predictions.columns[0] == pytest.approx([5.0])
