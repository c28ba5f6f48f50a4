"""The command as a user types it: exit codes, and where messages go."""

from __future__ import annotations

import sys

import pytest

from polyhost import __version__

CUSTOM = """
def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    import pandas as pd
    return pd.DataFrame({"Predictions": data["a"] * model})
"""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(CUSTOM, encoding="utf-8")
    return folder


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n2.5\n", encoding="utf-8")
    return path


def test_the_version(polyhost):
    done = polyhost("--version")
    assert (done.code, done.out, done.err) == (0, f"polyhost {__version__}\n", "")


def test_no_command_prints_the_help(polyhost):
    done = polyhost()
    assert done.code == 1
    assert done.out.startswith("usage: polyhost")


def test_the_command_line_starts_without_numpy(polyhost):
    import subprocess

    code = "import sys, polyhost.cli; sys.exit('numpy' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sing"], "invalid choice: 'sing'"),
        (["score"], "the following arguments are required: -cd/--code-dir, --input"),
        (["score", "-cd", "nowhere", "--input", "data.csv"], "no folder at 'nowhere'"),
        (["score", "-cd", "model", "--input", "none.csv"], "no file at 'none.csv'"),
        (["score", "-cd", "model", "--input", "data.csv", "--target-type", "x"], "invalid choice"),
        (
            ["score", "-cd", "model", "--input", "data.csv", "--positive-class-label", "a"],
            "--positive-class-label and --negative-class-label need each other",
        ),
        (
            ["score", "-cd", "model", "--input", "data.csv", "--class-labels", "a"],
            "expected at least two labels",
        ),
        (
            ["score", "-cd", "model", "--input", "data.csv", "--language", "cobol"],
            "expected one of java, julia, python, r, other; found 'cobol'",
        ),
    ],
)
def test_arguments_that_cannot_be_parsed_end_with_2(polyhost, model, data, arguments, says):
    done = polyhost(*arguments)
    assert done.code == 2
    assert says in done.err


def test_a_twin_is_checked_like_its_flag(polyhost, model, data):
    done = polyhost("score", "--input", data, env={"CODE_DIR": str(model), "TARGET_TYPE": "x"})
    assert done.code == 2
    assert "invalid choice: 'x'" in done.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "Target type is missing"),
        (["--target-type", "binary"], "class labels are missing"),
        (["--target-type", "regression", "--gpu-predictor", "nim"], "--gpu-predictor is not supp"),
        (["--target-type", "textgeneration"], "TARGET_NAME"),
        (["--target-type", "regression", "--language", "other"], "in a model server of its own"),
    ],
)
def test_options_that_cannot_stand_end_with_1(polyhost, model, data, flags, says):
    done = polyhost("score", "-cd", model, "--input", data, *flags)
    assert done.code == 1
    assert says in done.err


def test_a_folder_of_no_language(polyhost, tmp_path, data):
    (tmp_path / "empty").mkdir()
    done = polyhost("score", "-cd", "empty", "--input", data, "--target-type", "regression")
    assert done.code == 1
    assert "Can not detect language by artifacts and/or custom.py/R files" in done.err


def test_without_output_the_predictions_are_printed_as_a_frame(polyhost, model, data):
    done = polyhost("score", "-cd", model, "--input", data, "--target-type", "regression")
    assert (done.code, done.err) == (0, "")
    assert done.out == "   Predictions\n0          2.0\n1          5.0\n"


@pytest.mark.parametrize(
    ("output", "says"),
    [("nowhere/out.csv", "no folder"), ("model", "is a folder"), ("/dev/full", "cannot write")],
)
def test_an_output_that_cannot_be_written(polyhost, model, data, output, says):
    words = ["score", "-cd", model, "--input", data, "--target-type", "regression"]
    done = polyhost(*words, "--output", output)
    assert done.code == 1
    assert done.err.startswith("polyhost: SettingsError: ")
    assert says in done.err


def test_verbose_tells_the_command(polyhost, model, data):
    words = ["score", "-cd", model, "--input", data, "--target-type", "regression", "--verbose"]
    assert polyhost(*words).out.startswith("Detected score mode\n")


def test_show_perf_tells_three_times(polyhost, model, data, tmp_path):
    done = polyhost(
        *["score", "-cd", model, "--input", data, "--target-type", "regression"],
        *["--output", tmp_path / "out.csv", "--show-perf"],
    )
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "Predictions\n2.0\n5.0\n"
    lines = done.out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "full time",
        "initialisation, model load included",
        "run, reading the input included",
    ]


def test_serve_wants_a_name_for_each_of_two_folders_called_alike(polyhost, model):
    done = polyhost("serve", model, model)
    assert done.code == 1
    assert "two models are called 'model'" in done.err


def test_serve_takes_target_flags_for_one_folder_only(polyhost, model):
    done = polyhost("serve", model, f"b={model}", "--target-type", "regression")
    assert done.code == 1
    assert "--target-type speaks of one model; found 2 folders" in done.err


def test_serve_with_an_interpreter_that_is_not_there(polyhost, model):
    done = polyhost("serve", model, "--target-type", "regression", "--python", "nopython")
    assert done.code == 1
    assert "no interpreter at 'nopython'" in done.err
