"""``polyhost build-image``: the Dockerfile it writes, and what an engine is given."""

from __future__ import annotations

import json
import os
import sys

import pytest
from support.drop_in import contexts

from polyhost import __version__
from polyhost.cli import model_image
from polyhost.code_dir.inspect import inspect

ENGINE = """#!{python}
import json, os, shutil, sys

words = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if words[2] == os.environ["HERE"] else 1)
if words[0] == "build":
    shutil.copytree(words[-1], os.path.join(here, "context"))
    with open(os.path.join(here, "words"), "w") as file:
        json.dump(words, file)
    with open(words[words.index("--iidfile") + 1], "w") as noted:
        noted.write("sha256:1234")
"""
SKLEARN = f"polyhost-python3-sklearn:{__version__}"
METADATA = """\
name: "Prices of $HOUSES, \\"all\\""
description: |
  What houses
  cost.
targetType: regression
modelID: 5e8c889607389fe0f466c72d
"""


@pytest.fixture
def model(tmp_path):
    """A folder with hooks in Python."""
    folder = tmp_path / "House_Prices"
    folder.mkdir()
    (folder / "custom.py").write_text("def load_model(code_dir):\n    return 1\n")
    return folder


@pytest.fixture
def dry_run(polyhost):
    def run(*words) -> str:
        done = polyhost("build-image", *words, "--dry-run", env={"PATH": "/nowhere"})
        assert (done.code, done.err) == (0, "")
        return done.out

    return run


def test_the_environments_are_those_that_there_are():
    found = {name: contexts.info_of(name)["programmingLanguage"] for name in contexts.names()}
    assert {
        name: language or "other" for name, language in model_image.ENVIRONMENTS.items()
    } == found
    for name in contexts.names():
        assert model_image.image_of(name) == contexts.tag_of(name)


def test_the_dockerfile_of_a_model_with_metadata_and_requirements(dry_run, model):
    (model / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    (model / "requirements.txt").write_text("shap\n", encoding="utf-8")
    assert dry_run(model) == (
        f"FROM {SKLEARN}\n"
        'LABEL org.opencontainers.image.title="Prices of \\$HOUSES, \\"all\\""\n'
        'LABEL org.opencontainers.image.description="What houses cost."\n'
        f'LABEL io.polyhost.version="{__version__}"\n'
        'LABEL io.polyhost.language="python"\n'
        'LABEL io.polyhost.environment="python3_sklearn"\n'
        'LABEL io.polyhost.target-type="regression"\n'
        'LABEL io.polyhost.model-id="5e8c889607389fe0f466c72d"\n'
        "COPY --chown=10001:0 model/ /opt/code/\n"
        "RUN pip install --no-cache-dir -r requirements.txt && pip check\n"
    )


def test_what_the_flags_say_is_in_the_image(dry_run, model):
    found = dry_run(
        *["-m", model, "--target-type", "binary", "--positive-class-label", "a b"],
        *["--negative-class-label", "no", "--env", "polyglot", "--language", "python"],
    )
    assert found.startswith(f"FROM polyhost-polyglot:{__version__}\n")
    assert 'ENV TARGET_TYPE="binary"\nENV POSITIVE_CLASS_LABEL="a b"\n' in found
    assert found.endswith('CMD ["--language", "python"]\n')


def test_labels_with_spaces_are_in_a_file(dry_run, model):
    words = ["--target-type", "multiclass", "--class-labels"]
    assert 'ENV CLASS_LABELS="a b c"\n' in dry_run(model, *words, "a", "b", "c")
    found = dry_run(model, *words, "a b", "c")
    assert "COPY class_labels.txt /opt/polyhost/\n" in found
    assert 'ENV CLASS_LABELS_FILE="/opt/polyhost/class_labels.txt"\n' in found


def test_packages_of_r_are_compiled_in_a_stage_of_their_own(dry_run, tmp_path):
    (tmp_path / "custom.R").write_text("score <- function(data, model, ...) data\n")
    (tmp_path / "requirements.txt").write_text("gbm\n# why\nxgboost\n")
    found = dry_run(tmp_path, "--base-image", "registry.example/r:1")
    assert found.startswith("FROM registry.example/r:1 AS packages\nUSER 0\n")
    assert 'install.packages(c("gbm", "xgboost"), lib = "/opt/packages"' in found
    assert "COPY --from=packages /opt/packages/ /usr/local/lib/R/site-library/\n" in found
    assert "pip" not in found


def test_a_julia_project_is_instantiated(dry_run, tmp_path):
    (tmp_path / "custom.jl").write_text("score(data, model; kwargs...) = data\n")
    assert "Pkg" not in dry_run(tmp_path)
    (tmp_path / "Project.toml").write_text("")
    assert "ENV JULIA_PROJECT=/opt/code\nRUN julia" in dry_run(tmp_path)


@pytest.mark.parametrize(
    ("files", "environment"),
    [
        ({"model.pkl": ""}, "python3_sklearn"),
        ({"model.onnx": ""}, "python3_onnx"),
        ({"model.pmml": ""}, "python3_pmml"),
        ({"model.pth": "", "custom.py": ""}, "python3_pytorch"),
        ({"model.keras": ""}, "python3_keras"),
        ({"model.pkl": "", "requirements.txt": "numpy\nxgboost>=2 ; True\n"}, "python3_xgboost"),
        ({"model.pkl": "", "requirements.txt": "TensorFlow[and-cuda]\n"}, "python3_keras"),
        ({"custom.py": "", "MLmodel": ""}, "mlflow"),
        ({"model.zip": ""}, "java_codegen"),
        ({"model.rds": ""}, "r_lang"),
        ({"model.jlso": ""}, "julia_mlj"),
    ],
)
def test_the_environment_is_that_of_the_models_kind(tmp_path, files, environment):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert model_image.environment_of(inspect(tmp_path)) == environment


@pytest.fixture
def build(polyhost, tmp_path):
    """The command with a stand-in for docker; its result, the words and the context it was given."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker"
    program.write_text(ENGINE.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)

    def run(*words, here=SKLEARN):
        env = {"PATH": f"{program.parent}{os.pathsep}/usr/bin:/bin", "HERE": here}
        done = polyhost("build-image", *words, env=env)
        noted = program.parent / "words"
        given = json.loads(noted.read_text()) if noted.exists() else []
        return done, given, program.parent / "context"

    return run


def test_the_engine_gets_the_model_and_the_dockerfile(build, model):
    (model / "data").mkdir()
    (model / "data" / "weights").write_bytes(b"\0\1")
    (model / "__pycache__").mkdir()
    done, words, context = build(
        *[model, "--platform", "linux/arm64", "--target-type", "multiclass"],
        *["--class-labels", "a b", "c"],
    )
    assert (done.code, done.err) == (0, "")
    tag = "polyhost-model-house-prices:latest"
    assert done.out == f"Image successfully built; tag: {tag}; image id: sha256:1234\n"
    assert words[words.index("-t") + 1] == tag
    assert words[words.index("--platform") + 1] == "linux/arm64"
    assert sorted(path.name for path in context.iterdir()) == [
        *("Dockerfile", "class_labels.txt", "model")
    ]
    assert (context / "model" / "data" / "weights").read_bytes() == b"\0\1"
    assert not (context / "model" / "__pycache__").exists()
    assert (context / "class_labels.txt").read_text() == "a b\nc\n"


def test_an_archive_is_unpacked_and_the_name_can_be_given(build, model, tmp_path):
    import shutil

    archive = shutil.make_archive(str(tmp_path / "prices"), "zip", model)
    done, words, context = build("-m", archive, "-n", "shop/prices:7")
    assert (done.code, words[words.index("-t") + 1]) == (0, "shop/prices:7")
    assert (context / "model" / "custom.py").is_file()


def test_an_image_to_build_on_that_is_not_here(build, model):
    done, words, _ = build(model, here="other")
    assert (done.code, words) == (1, [])
    assert f"no image {SKLEARN} here" in done.err
    assert "make image NAME=python3_sklearn" in done.err
    assert build(model, "--base-image", "registry.example/x:1", here="other")[0].code == 0


def test_an_environment_of_another_language(polyhost, model):
    done = polyhost("build-image", model, "--env", "r_lang", "--dry-run")
    assert done.code == 1
    assert "--env r_lang serves r models" in done.err
    assert "python3_sklearn, or polyglot" in done.err


def test_a_target_type_that_the_metadata_contradicts(polyhost, model):
    (model / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    done = polyhost("build-image", model, "--target-type", "anomaly", "--dry-run")
    assert done.code == 1
    assert "doesn't match target type from model config file" in done.err


@pytest.mark.parametrize("words", [[], ["a", "-m", "b"]])
def test_one_model_has_to_be_named(polyhost, words):
    done = polyhost("build-image", *words)
    assert done.code == 2
    assert "expected one MODEL" in done.err
