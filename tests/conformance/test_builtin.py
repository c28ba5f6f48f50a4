"""Artifacts: the host's predictions against the native tool's own, and what users get wrong."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from conformance.builtin import add_hooks, displace, without_column
from conformance.cases import cases, cases_without_gaps, raise_told
from conformance.scenarios import BUILTIN
from support.direct_host import DirectHost

import polyhost
from polyhost import errors

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
"""What two ways of computing a prediction may differ by."""


def check(found: tuple[list[str], list[list[float]]], expected: tuple[list[str], list]) -> None:
    assert found[0] == expected[0]
    np.testing.assert_allclose(np.array(found[1], dtype=float), expected[1], **CLOSE)


def read(path) -> tuple[list[str], list[list[float]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, [[float(cell or "nan") for cell in row] for row in rows]


def read_json(predictions: list) -> tuple[list[str], list[list[float]]]:
    if isinstance(predictions[0], dict):
        return list(predictions[0]), [list(row.values()) for row in predictions]
    return ["Predictions"], [[value] for value in predictions]


@pytest.mark.parametrize(("scenario", "runtime"), cases(BUILTIN))
def test_from_the_command_line(polyhost, made, scenario, runtime):
    model, output = made(runtime, scenario), polyhost.folder / "out.csv"
    done = polyhost(
        *["score", "--code-dir", model.model, "--input", model.input, "--output", output],
        *model.target_flags,
    )
    raise_told(done)
    check(read(output), model.expected)


@pytest.mark.parametrize(("scenario", "runtime"), cases(["regression"]))
def test_hooks_around_the_builtin_predict(polyhost, made, scenario, runtime, tmp_path):
    model, folder, data = made(runtime, scenario), tmp_path / "hooked", tmp_path / "displaced.csv"
    shutil.copytree(model.model, folder)
    add_hooks(folder, runtime)
    data.write_bytes(displace(model.input))
    output = tmp_path / "out.csv"
    done = polyhost(
        *["score", "--code-dir", folder, "--input", data, "--output", output, *model.target_flags]
    )
    raise_told(done)
    header, expected = model.expected
    check(read(output), (header, [[value + 1000 for value in row] for row in expected]))


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(BUILTIN))
def test_csv_over_http(models_of, made, scenario, runtime):
    model = made(runtime, scenario)
    reply = models_of(runtime).post(f"/models/{scenario}/predict/", model.input.read_bytes())
    assert reply.status_code == 200, reply.text
    check(read_json(reply.json()["predictions"]), model.expected)


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(BUILTIN))
@pytest.mark.parametrize("shape", ["dataframe_split", "dataframe_records"])
def test_json_over_http(models_of, made, scenario, runtime, shape):
    model = made(runtime, scenario)
    with model.input.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    picked = [i for i, row in enumerate(rows) if all(_number(cell) for cell in row)][:20]
    data = [[_number(cell) for cell in rows[i]] for i in picked]
    body = {
        "dataframe_split": {"columns": names, "data": data},
        "dataframe_records": [dict(zip(names, row, strict=True)) for row in data],
    }[shape]
    reply = models_of(runtime).post(
        f"/models/{scenario}/invocations", json.dumps({shape: body}), "application/json"
    )
    assert reply.status_code == 200, reply.text
    header, expected = model.expected
    check(read_json(reply.json()["predictions"]), (header, [expected[i] for i in picked]))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(BUILTIN))
def test_a_missing_column_is_the_callers_mistake(models_of, made, scenario, runtime):
    name, body = without_column(made(runtime, scenario).input, 0)
    server = models_of(runtime)
    reply = server.post(f"/models/{scenario}/predict/", body)
    assert (reply.status_code, name in reply.text) == (422, True), reply.text
    good = made(runtime, scenario).input.read_bytes()
    assert server.post(f"/models/{scenario}/predict/", good).status_code == 200


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["regression"]))
@pytest.mark.parametrize(
    "body",
    [b"a,b\n1,2\n1,2,3,4,5\n", b"a,b\n\xff\xfe,2\n"],
    ids=["ragged", "not UTF-8"],
)
def test_a_malformed_csv_is_the_callers_mistake(models_of, made, scenario, runtime, body):
    server = models_of(runtime)
    reply = server.post(f"/models/{scenario}/predict/", body)
    assert reply.status_code == 422, reply.text
    assert reply.json()["message"].startswith("ERROR: ")
    good = made(runtime, scenario).input.read_bytes()
    assert server.post(f"/models/{scenario}/predict/", good).status_code == 200


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["regression"]))
def test_malformed_json_is_the_callers_mistake(models_of, scenario, runtime):
    reply = models_of(runtime).post(
        f"/models/{scenario}/invocations", b'{"dataframe_split": {', "application/json"
    )
    assert reply.status_code == 400, reply.text


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["binary"]))
def test_labels_that_are_not_the_models_fail_at_load(polyhost, made, scenario, runtime, tmp_path):
    model = made(runtime, scenario)
    folder = tmp_path / "model"
    shutil.copytree(model.model, folder, ignore=shutil.ignore_patterns("model-metadata.yaml"))
    wrong = [f"{word}-x" if word in model.expected[0] else word for word in model.target_flags]
    with pytest.raises(errors.PolyhostError) as raised:
        raise_told(polyhost("score", "-cd", folder, "--input", model.input, *wrong))
    assert raised.value.exit_code == 1
    assert f"{model.expected[0][0]}-x" in raised.value.message


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["regression"]))
def test_a_folder_without_artifact(polyhost, made, scenario, runtime, tmp_path):
    (tmp_path / "model").mkdir()
    data = made(runtime, scenario).input
    with pytest.raises(errors.ArtifactNotFound, match="Could not find model artifact file in"):
        raise_told(
            polyhost(
                *["score", "-cd", tmp_path / "model", "--input", data, "--language", runtime],
                *["--target-type", "regression"],
            )
        )


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["regression"]))
def test_a_folder_with_two_artifacts(polyhost, made, scenario, runtime, tmp_path):
    model = made(runtime, scenario)
    folder = tmp_path / "model"
    shutil.copytree(model.model, folder)
    from polyhost.code_dir.inspect import inspect

    (artifact,) = inspect(folder, runtime).artifacts
    shutil.copy(artifact, artifact.with_name(f"another{artifact.suffix}"))
    with pytest.raises(errors.ArtifactNotFound, match="Multiple serialized model files found"):
        raise_told(polyhost("score", "-cd", folder, "--input", model.input, *model.target_flags))


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(BUILTIN))
def test_target_and_labels_come_from_the_artifact(models_of, made, scenario, runtime, tmp_path):
    model = made(runtime, scenario)
    folder = tmp_path / "model"
    shutil.copytree(model.model, folder, ignore=shutil.ignore_patterns("model-metadata.yaml"))
    header, expected = model.expected
    host = models_of(runtime)
    if isinstance(host, DirectHost):
        loaded = host.load(folder, infer=True)
        assert loaded.info.target.type.value == scenario
        names, found = read_json(
            loaded.predictions("text/csv", model.input.read_bytes())["predictions"]
        )
        found = [[row[names.index(name)] for name in header] for row in found]
    else:
        with polyhost.load(folder) as loaded:
            assert loaded.info.target.type.value == scenario
            table = loaded.predict(model.input.read_bytes())
        found = table[header].to_numpy(dtype=float)
    np.testing.assert_allclose(found, expected, **CLOSE)
