from __future__ import annotations

from pathlib import Path

import pytest

from polyhost.bridges import BRIDGES, Bridge
from polyhost.code_dir.inspect import CodeDir, inspect
from polyhost.errors import AmbiguousLanguage, CodeDirError, SettingsError


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder.resolve()


def each_artifact() -> list[tuple[Bridge, str]]:
    return [(bridge, ext) for bridge in BRIDGES.values() for ext in bridge.artifacts]


def each_custom() -> list[tuple[Bridge, str]]:
    return [(bridge, name) for bridge in BRIDGES.values() for name in bridge.custom]


@pytest.mark.parametrize(("bridge", "extension"), each_artifact())
@pytest.mark.parametrize("change_case", [str.lower, str.upper])
def test_an_artifact_says_the_language(tmp_path, bridge, extension, change_case):
    name = change_case(f"model{extension}")
    folder = put(tmp_path, name)
    assert inspect(folder) == CodeDir(folder, bridge.language, None, (folder / name,))


@pytest.mark.parametrize(("bridge", "name"), each_custom())
def test_a_custom_file_says_the_language(tmp_path, bridge, name):
    folder = put(tmp_path, name)
    assert inspect(folder) == CodeDir(folder, bridge.language, folder / name, ())


@pytest.mark.parametrize("name", ["custom.jar", "Custom.java"])
def test_hooks_with_an_artifact_extension_are_no_artifact(tmp_path, name):
    folder = put(tmp_path, name, "model.zip")
    assert inspect(folder) == CodeDir(folder, "java", folder / name, (folder / "model.zip",))


def test_an_artifact_that_yields_is_no_second_model(tmp_path):
    folder = put(tmp_path, "encoder.JOBLIB", "model.pkl")
    assert inspect(folder).artifacts == (folder / "model.pkl",)
    (folder / "model.pkl").unlink()
    assert inspect(folder).artifacts == (folder / "encoder.JOBLIB",)


def test_the_custom_file_decides_between_artifacts_of_two_languages(tmp_path):
    folder = put(tmp_path, "custom.py", "model.pkl", "stray.zip")
    found = inspect(folder)
    assert (found.language, found.artifacts) == ("python", (folder / "model.pkl",))


def test_artifacts_of_two_languages_are_undetectable(tmp_path):
    folder = put(tmp_path, "model.pkl", "stray.zip")
    with pytest.raises(AmbiguousLanguage, match=r"Can not detect language by artifacts and/or "):
        inspect(folder)
    assert inspect(folder, "java").artifacts == (folder / "stray.zip",)


def test_a_custom_file_and_an_artifact_that_disagree_are_undetectable(tmp_path):
    folder = put(tmp_path, "custom.R", "model.pkl")
    with pytest.raises(AmbiguousLanguage) as raised:
        inspect(folder)
    assert raised.value.facts == {
        "code_dir": str(folder),
        "artifact_languages": ["python"],
        "custom_languages": ["r"],
        "found": ["custom.R", "model.pkl"],
    }


def test_an_empty_folder_is_undetectable(tmp_path):
    with pytest.raises(AmbiguousLanguage, match="found an empty folder"):
        inspect(tmp_path)


def test_an_artifact_below_the_top_says_the_language_and_is_not_loaded(tmp_path):
    folder = put(tmp_path, "deep/er/model.rds")
    assert inspect(folder) == CodeDir(folder, "r", None, ())


def test_hidden_files_and_folders_say_nothing(tmp_path):
    folder = put(tmp_path, "model.pkl", ".cache/x.jar", ".old.rds")
    assert inspect(folder) == CodeDir(folder, "python", None, (folder / "model.pkl",))


def test_a_recursive_custom_file_is_found_below_the_top(tmp_path):
    folder = put(tmp_path, "model.pkl", "src/custom.py")
    assert inspect(folder).custom_file == folder / "src" / "custom.py"


def test_two_recursive_custom_files_are_an_error(tmp_path):
    folder = put(tmp_path, "custom.py", "src/custom.py")
    with pytest.raises(CodeDirError, match=r"expected one; found custom.py, src/custom.py"):
        inspect(folder)


def test_two_kinds_of_custom_file_are_an_error(tmp_path):
    folder = put(tmp_path, "custom.jar", "Custom.java")
    with pytest.raises(CodeDirError, match=r"expected one; found custom.jar, Custom.java"):
        inspect(folder)


def test_two_spellings_of_one_custom_file_count_once(tmp_path, caplog):
    folder = put(tmp_path, "custom.R", "custom.r")
    assert inspect(folder) == CodeDir(folder, "r", folder / "custom.R", ())
    assert "custom.R is read" in caplog.text


def test_a_wrong_case_is_told(tmp_path, caplog):
    folder = put(tmp_path, "Custom.PY", "model.pkl")
    assert inspect(folder).custom_file is None
    assert "Custom.PY is not read: the custom file is called custom.py" in caplog.text


def test_no_folder(tmp_path):
    with pytest.raises(CodeDirError, match="expected a folder; found nothing"):
        inspect(tmp_path / "none")
    with pytest.raises(CodeDirError, match="expected a folder; found a file"):
        inspect(put(tmp_path, "model.pkl") / "model.pkl")


def test_an_unknown_language(tmp_path):
    with pytest.raises(SettingsError, match="unknown language 'cobol'"):
        inspect(tmp_path, "cobol")
