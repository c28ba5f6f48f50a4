from __future__ import annotations

import sys
import types

import pytest

from polyhost.pipeline.chat_reports import ChatMonitor, prompt_column, prompt_of, text_of
from polyhost.pipeline.reports import Monitoring
from polyhost.predictor import ChatReply

HELLO = {"messages": [{"role": "system", "content": "be"}, {"role": "user", "content": "hello"}]}
WHOLE = {"choices": [{"message": {"content": "hi you"}}]}


def chunk(text):
    return {"choices": [{"delta": {"content": text}}]}


class Notes:
    """A reporter that keeps what it is told; ``broken`` raises instead."""

    def __init__(self, broken=False):
        self.counts, self.rows, self.broken = [], [], broken

    def report_deployment_stats(self, num_predictions, execution_time_ms=None):
        if self.broken:
            raise RuntimeError("no room")
        assert execution_time_ms >= 0
        self.counts.append(num_predictions)

    def report_predictions_data(
        self, features_df=None, predictions=None, association_ids=None, class_names=None
    ):
        if self.broken:
            raise RuntimeError("no room")
        self.rows.append((features_df.to_dict("list"), predictions, association_ids))

    def close(self):
        pass


def ask(reply):
    def answer():
        if isinstance(reply, Exception):
            raise reply
        return reply

    return answer


def test_a_whole_answer():
    notes = Notes()
    reply = ChatReply(completion=WHOLE)
    assert ChatMonitor(notes).answered(ask(reply), HELLO, "id-1") is reply
    assert notes.counts == [1]
    assert notes.rows == [({"promptText": ["hello"]}, ["hi you"], ["id-1"])]


def test_a_stream_is_reported_when_it_ends():
    notes = Notes()
    reply = ChatReply(chunks=iter([chunk("hi "), {"choices": []}, chunk(None), chunk("you")]))
    found = ChatMonitor(notes, "question").answered(ask(reply), HELLO, None)
    assert notes.counts == []
    assert len(list(found.chunks)) == 4
    assert notes.counts == [1]
    assert notes.rows == [({"question": ["hello"]}, ["hi you"], None)]


def test_a_stream_whose_client_left():
    notes, closed = Notes(), []

    def chunks():
        try:
            yield chunk("hi ")
            yield chunk("you")
        finally:
            closed.append(True)

    found = ChatMonitor(notes).answered(ask(ChatReply(chunks=chunks())), HELLO, "i")
    next(found.chunks)
    found.chunks.close()
    assert (notes.counts, closed) == ([1], [True])
    assert notes.rows[0][1] == ["hi "]


def test_errors_are_no_predictions():
    notes = Notes()
    monitor = ChatMonitor(notes)
    with pytest.raises(ValueError, match="cannot talk"):
        monitor.answered(ask(ValueError("cannot talk")), HELLO, "i")

    def chunks():
        yield chunk("hi")
        raise ValueError("no more words")

    found = monitor.answered(ask(ChatReply(chunks=chunks())), HELLO, "i")
    with pytest.raises(ValueError, match="no more words"):
        list(found.chunks)
    assert (notes.counts, notes.rows) == ([0, 0], [])


def test_a_report_that_fails_is_logged(caplog):
    reply = ChatReply(completion=WHOLE)
    assert ChatMonitor(Notes(broken=True)).answered(ask(reply), HELLO, "i") is reply
    assert caplog.text.count("a report of a conversation failed") == 2


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100}}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "hello"),
        (None, ""),
        ([{"type": "text", "text": "what is"}, {"type": "text", "text": "this"}], "what is\nthis"),
        ([IMAGE], "Image: data:image/png;base64," + "A" * 58),
        (
            [{"type": "image_url", "image_url": {"url": "https://h/i.png"}}],
            "Image: https://h/i.png",
        ),
        ([{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}], "Audio: wav"),
        ([{"type": "file", "file": {"filename": "a.pdf", "file_data": "AA"}}], "file: a.pdf"),
        ([{"type": "refusal", "refusal": "no"}], "refusal"),
        (["plain"], "plain"),
    ],
)
def test_the_prompt(content, text):
    assert prompt_of({"messages": [{"content": "first"}, {"content": content}]}) == text


@pytest.mark.parametrize("params", [{}, {"messages": []}, {"messages": "x"}, {"messages": ["x"]}])
def test_no_prompt(params):
    assert prompt_of(params) == ""


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}])
def test_no_text(answer):
    assert text_of(answer) == ""


def test_the_prompts_column(monkeypatch, caplog):
    asked = Monitoring(deployment_id="d1")
    monkeypatch.delenv("DATAROBOT_ENDPOINT", raising=False)
    assert prompt_column(asked) == "promptText"
    monkeypatch.setenv("DATAROBOT_ENDPOINT", "https://h/api/v2")
    monkeypatch.setenv("DATAROBOT_API_TOKEN", "t")
    library = types.ModuleType("datarobot")

    class Deployment:
        def __init__(self, model):
            self.model = model

        @staticmethod
        def get(id):
            assert id == "d1"
            return Deployment({"prompt": "question"})

    library.Deployment = Deployment
    monkeypatch.setitem(sys.modules, "datarobot", library)
    assert prompt_column(asked) == "question"
    Deployment.get = staticmethod(lambda id: Deployment({}))
    assert prompt_column(asked) == "promptText"
    Deployment.get = None
    assert prompt_column(asked) == "promptText"
    assert "did not say what deployment d1 calls its prompt" in caplog.text
