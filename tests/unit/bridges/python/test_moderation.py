"""Moderation, with a stand-in for DataRobot's library that judges by single words."""

from __future__ import annotations

import sys

import pytest

from polyhost.code_dir.spec import spec_of
from polyhost.data.payload import Payload
from polyhost.errors import InvalidOutput, LoadError, ModelError, SchemaMismatch
from polyhost.pipeline.pipeline import open_predictor
from polyhost.settings import Setting, Source, TargetSettings

LIBRARY = """
import types

class ModerationPipeline:
    @classmethod
    def from_dict(cls, config, model_dir=None):
        assert model_dir
        if config.get("broken"):
            raise RuntimeError("no token")
        return cls()

    async def evaluate_prompt_async(self, prompt):
        return judged(prompt), 0.1, None

    async def evaluate_response_async(self, response, prompt=None):
        assert prompt is not None
        return judged(response), 0.1, None

def judged(text):
    if "crash" in text:
        raise RuntimeError("guard is down")
    return types.SimpleNamespace(
        blocked="bad" in text, blocked_message=f"{len(text)} letters were blocked",
        replaced="secret" in text, replacement=text.replace("secret", "***"),
    )
"""
CUSTOM = """
import pandas as pd

SEEN = []

def load_model(code_dir):
    return SEEN

def score(data, model, **kwargs):
    model.extend(data["promptText"])
    answers = data["promptText"].str.replace("evil", "bad")
    return pd.DataFrame({"answer": answers, "seen": model[-1]}, index=data.index)

def chat(params, model):
    model.append(params["messages"][-1]["content"])
    text = model[-1].replace("evil", "bad")
    if params.get("stream"):
        return chunks(text)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "a", "content": text}}
    return {"object": "chat.completion", "id": "7", "choices": [choice]}

def chunks(text):
    for word in text.split(" "):
        yield {"object": "chat.completion.chunk", "id": "7",
               "choices": [{"index": 0, "delta": {"content": word}}]}
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "library" / "datarobot_dome"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "api.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    yield
    for name in ("datarobot_dome.api", "datarobot_dome"):
        sys.modules.pop(name, None)


@pytest.fixture
def opened(tmp_path):
    """Opens a model whose folder has these files beside its hooks; closed after the test."""
    held = []

    def open_with(config="guards: []\n", custom=CUSTOM, kind="textgeneration"):
        code = tmp_path / "code"
        code.mkdir()
        (code / "custom.py").write_text(custom)
        (code / "moderation_config.yaml").write_text(config)
        target = TargetSettings(
            type=Setting(kind, Source.FLAG, "--target-type"),
            name=Setting("answer", Source.ENVIRONMENT, "TARGET_NAME"),
        )
        held.append(open_predictor(spec_of(code, target)))
        return held[-1]

    yield open_with
    for predictor in held:
        predictor.close()


def talk(predictor, text, **more):
    reply = predictor.chat({"messages": [{"role": "user", "content": text}], **more}, {})
    if reply.chunks is None:
        (choice,) = reply.completion["choices"]
        return choice["message"]["content"], choice["finish_reason"]
    said = [chunk["choices"][0] for chunk in reply.chunks]
    return [each["delta"]["content"] for each in said], said[-1].get("finish_reason")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", ("hello", "stop")),
        ("a bad word", ("10 letters were blocked", "content_filter")),
        ("evil", ("3 letters were blocked", "content_filter")),
        ("my secret", ("my ***", "stop")),
    ],
)
def test_a_conversation(library, opened, text, answer):
    assert talk(opened(), text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello you", (["hello", "you"], None)),
        ("a bad word", (["10 letters were blocked"], "content_filter")),
        ("so evil", (["5 letters were blocked"], "content_filter")),
    ],
)
def test_a_stream(library, opened, text, answer):
    assert talk(opened(), text, stream=True) == answer


def test_a_blocked_prompt_never_reaches_the_model(library, opened):
    predictor = opened()
    talk(predictor, "a bad word")
    talk(predictor, "my secret")
    assert predictor._guest._model == ["my ***"]


def test_rows(library, opened):
    body = b"promptText\nhello\na bad word\nmy secret\nevil\n"
    scores = opened().predict(Payload(body, "text/csv"))
    assert scores.predictions.columns[0].tolist() == [
        "hello",
        "10 letters were blocked",
        "my ***",
        "3 letters were blocked",
    ]
    assert scores.extra.names == ("seen",)
    assert scores.extra.columns[0].tolist() == ["evil", None, "evil", "evil"]


def test_rows_that_are_all_blocked(library, opened):
    predictor = opened()
    scores = predictor.predict(Payload(b"promptText\nbad\n", "text/csv"))
    assert scores.predictions.columns[0].tolist() == ["3 letters were blocked"]
    assert predictor._guest._model == []


def test_another_prompt_column(library, opened):
    predictor = opened("prompt_column_name: question\n")
    with pytest.raises(SchemaMismatch, match="in the column 'question': found 'promptText'"):
        predictor.predict(Payload(b"promptText\nhello\n", "text/csv"))


def test_answers_that_cannot_be_told_apart(library, opened):
    custom = CUSTOM.replace('"answer": answers', '"other": answers')
    with pytest.raises(InvalidOutput, match="no column 'answer'"):
        opened(custom=custom).predict(Payload(b"promptText\nhello\n", "text/csv"))


def test_a_guard_that_fails_lets_nothing_through(library, opened):
    with pytest.raises(ModelError, match="'moderation' failed in python: RuntimeError: guard is d"):
        talk(opened(), "crash")


def test_a_configuration_that_cannot_be_used(library, opened):
    with pytest.raises(LoadError, match="cannot be set up: RuntimeError: no token"):
        opened("broken: true\n")


def test_it_can_be_switched_off(library, opened, monkeypatch):
    monkeypatch.setenv("DISABLE_MODERATION", "true")
    assert talk(opened(), "bad") == ("bad", "stop")


def test_without_the_library_there_is_a_warning(opened, caplog):
    assert talk(opened(), "bad") == ("bad", "stop")
    assert "has no module datarobot_dome: nothing is moderated" in caplog.text


def test_models_of_other_types_are_left_alone(library, opened, caplog):
    custom = CUSTOM.replace("def score", "def other")
    assert talk(opened(custom=custom, kind="regression"), "bad") == ("bad", "stop")
    assert not caplog.records
