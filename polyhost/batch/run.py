"""One run: every chunk of the inputs scored in order, written, and noted as finished."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from polyhost.batch import outputs, readers
from polyhost.batch.chunks import Chunk, TableChunk
from polyhost.batch.engine import AHEAD, in_order
from polyhost.batch.inputs import Input
from polyhost.batch.outputs import Output
from polyhost.batch.readers import Progress, Reading
from polyhost.batch.run_folder import Done, RunFolder
from polyhost.batch.scoring import Answered, Rejected, Scorer, Scoring, reason_of
from polyhost.codecs.batch import MISSING_ROW
from polyhost.errors import InvalidInput, InvalidOutput, SettingsError, StateError


class Watcher(Protocol):
    """Who hears how far a run is."""

    skipped: int

    def step(self, rows: int, rejected: int) -> None: ...


@dataclass(frozen=True)
class Run:
    """What is scored, how, and where it goes. ``rejects``: the file for rows without answers.
    ``limit``: rows of all inputs together."""

    inputs: Sequence[Input]
    reading: Reading
    scoring: Scoring
    output: Output
    rejects: Path | None = None
    limit: int | None = None


class Sink(Protocol):
    """Where the answers of chunks are put, one after another."""

    done: list[Done]

    def add(
        self,
        mark: list[int],
        rows: int,
        rejected: int,
        pieces: Sequence[bytes],
        rejects: bytes,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
    ) -> None: ...


class StreamSink:
    """Answers that are written as they come: standard output, a pipe or a device."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.done: list[Done] = []
        self._first: Done | None = None
        self.rejects = io.BytesIO()

    def add(
        self,
        mark: list[int],
        rows: int,
        rejected: int,
        pieces: Sequence[bytes],
        rejects: bytes,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
    ) -> None:
        """Write a chunk's answers."""
        done = Done(mark, rows, rejected, 0, 0, 0, [*names], [*kinds])
        if names and self._first is None:
            self._first = done
        if self._first is not None and names:
            mixed = outputs.promoted(names, [self._first.kinds, kinds])
            if mixed:
                raise InvalidOutput(
                    f"column(s) {mixed} hold whole numbers in one chunk and fractions in another, "
                    "which standard output cannot take back. Give --output FILE."
                )
        for piece in pieces:
            self._file.write(piece)
        self._file.flush()
        self.rejects.write(rejects)


def execute(run: Run, sink: Sink, watcher: Watcher, progress: Progress) -> list[Done]:
    """Score what the sink does not hold yet; the finished chunks. OSError where it is full."""
    state = _State(run, sink, watcher)
    ahead = AHEAD * run.scoring.workers.workers
    waiting = state.unfinished(readers.chunks(run.inputs, run.reading, progress))
    for chunk, answer in in_order(waiting, run.scoring.submit, ahead):
        state.finish(chunk, answer)
    if not state.names:
        raise InvalidInput("no row of the input could be scored: see the reasons in the rejects.")
    return state.done


class _State:
    """What a run knows so far."""

    def __init__(self, run: Run, sink: Sink, watcher: Watcher) -> None:
        self._run = run
        self._sink = sink
        self._watcher = watcher
        self._scorer = Scorer(run.scoring)
        self.done: list[Done] = list(sink.done)
        self.names: Sequence[str] = next((done.names for done in self.done if done.names), ())
        self._rejects_begun = any(done.rejects for done in self.done)

    def unfinished(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks that are to be scored; StateError where a finished one has changed."""
        before = list(self.done)
        left = self._run.limit
        for number, chunk in enumerate(chunks):
            if left is not None:
                if left <= 0:
                    return
                chunk = chunk.part(0, left) if chunk.rows > left else chunk
                left -= chunk.rows
            if number >= len(before):
                yield chunk
                continue
            if mark_of(chunk) != before[number].mark:
                raise StateError(
                    f"--resume cannot go on: {self._run.inputs[chunk.input].name} has changed since, "
                    f"from row {chunk.first} on. Leave --resume out to begin again."
                )
            self._watcher.skipped += before[number].rows
            self._watcher.step(before[number].rows, before[number].rejected)

    def finish(self, chunk: Chunk, answer: Any) -> None:
        """Write what came of a chunk."""
        found = self._scorer.finish(chunk, answer)
        answered = [part for part in found if isinstance(part, Answered)]
        rejected = [part for part in found if isinstance(part, Rejected)]
        pieces: list[bytes] = []
        for each in answered:
            self._see_names(each.notes.names, chunk, pieces)
        if self._run.scoring.on_error == "null" and rejected and not self.names:
            raise InvalidInput(
                f"no row of the first chunk can be scored, so that the answers' columns are not "
                f"known; the first fails with: {rejected[0].error.message}"
            )
        for part in found:
            if isinstance(part, Answered):
                pieces.append(part.body)
            elif self._run.scoring.on_error == "null":
                pieces.append(self._run.scoring.missing(part.chunk, self.names))
        kinds = _merged([part.notes.kinds for part in answered])
        rejects = self._reject_lines(rejected)
        names = self.names if answered else ()
        with _writing(self._run.output, bool(self.done)):
            self._sink.add(mark_of(chunk), chunk.rows, len(rejected), pieces, rejects, names, kinds)
        self.done.append(
            Done(mark_of(chunk), chunk.rows, len(rejected), 0, 0, 0, [*names], [*kinds])
        )
        self._watcher.step(chunk.rows, len(rejected))

    def _see_names(self, names: Sequence[str], chunk: Chunk, pieces: list[bytes]) -> None:
        if not self.names:
            if len(set(names)) < len(names):
                raise SettingsError(
                    f"the output would have a column twice: {', '.join(names)}. Leave it out of "
                    "--passthrough and --id-column."
                )
            self.names = names
            pieces.append(outputs.header(self._run.output, names))
        elif list(names) != list(self.names):
            place = f"{self._run.inputs[chunk.input].name}, rows from {chunk.first} on"
            raise InvalidOutput(
                f"{place}: the answers have the columns {', '.join(names)}; those before have "
                f"{', '.join(self.names)}. A model that is scored in chunks has to give the same "
                "columns each time."
            )

    def _reject_lines(self, rejected: Sequence[Rejected]) -> bytes:
        """Lines of the rejects file: where a row is, why it has no answer, and its cells."""
        if not rejected or self._run.rejects is None:
            return b""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if not self._rejects_begun:
            self._rejects_begun = True
            writer.writerow(["input", "row", "reason", *_cell_names(rejected[0].chunk)])
        for part in rejected:
            name = self._run.inputs[part.chunk.input].name
            cells = part.chunk.texts()
            reason = reason_of(part.chunk, part.error, self._run.scoring.before(part.chunk))
            writer.writerow([name, part.row, reason, *(cells[0] if cells else ())])
        return out.getvalue().encode("utf-8", "replace")


def _cell_names(chunk: Chunk) -> Sequence[str]:
    names = chunk.names
    return names if len(chunk.texts()[0]) == len(names) else ["line"]


def mark_of(chunk: Chunk) -> list[int]:
    """What recognises a chunk of an input."""
    if isinstance(chunk, TableChunk):
        return [chunk.input, chunk.rows, chunk.batch.nbytes]
    check = 0
    for piece in chunk.body():
        check = zlib.crc32(piece, check)
    return [chunk.input, chunk.rows, check]


def _merged(kinds: Sequence[Sequence[str]]) -> list[str]:
    """Kinds of columns over the parts of one chunk: a fraction where any part has one."""
    found = []
    for seen in zip(*kinds):
        known = [kind for kind in seen if kind != MISSING_ROW]
        found.append(next((kind for kind in known if kind.startswith("flo")), known[0]))
    return found


def publish(run: Run, folder: RunFolder, done: Sequence[Done]) -> None:
    """Put the finished answers in the place of the output."""
    output = run.output
    answered = [each for each in done if each.names]
    names = answered[0].names
    floats = outputs.promoted(names, [each.kinds for each in answered])
    folder.sync()
    ready = "data"
    if not output.is_plain or floats:
        ready = "final"
        outputs.convert(output, folder.path / "data", folder.path / "final", floats)
    if run.rejects is not None and any(each.rejected for each in done):
        folder.publish("rejects", run.rejects)
    elif run.rejects is not None and run.scoring.on_error != "fail":
        run.rejects.unlink(missing_ok=True)  # that of a run before
    if output.is_stream:
        outputs.publish_stream(folder.path / ready, output.name)
    elif output.is_address:
        outputs.upload(folder.path / ready, output.name)
    else:
        folder.publish(ready, Path(output.name))
    folder.remove()


def score(
    run: Run,
    watcher: Watcher,
    progress: Progress,
    *,
    plan: dict[str, Any],
    resume: bool,
    place: Path | None = None,
    open_stream: Callable[[str], BinaryIO] | None = None,
) -> None:
    """Score the inputs into the output, which appears as a whole; answers to a stream as they come.

    ``plan``: what the answers depend on. ``place``: the run's folder, where it cannot be beside the
    output.
    """
    output = run.output
    if output.is_stream and output.is_plain:
        stream = StreamSink((open_stream or _open_stream)(output.name))
        execute(run, stream, watcher, progress)
        if run.rejects is not None and stream.rejects.tell():
            run.rejects.write_bytes(stream.rejects.getvalue())
        return
    folder = RunFolder(Path(output.name), place)
    try:
        folder.open(plan, resume=resume)
        done = execute(run, folder, watcher, progress)
        with _writing(output, True):
            publish(run, folder, done)
    finally:
        folder.close()


@contextmanager
def _writing(output: Output, resumable: bool) -> Iterator[None]:
    """SettingsError for an output that cannot be written; a reader that has gone is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        then = "give --resume to go on" if resumable else "start again"
        raise SettingsError(
            f"cannot write --output {output.name}: {error.strerror or error}. Free space or correct "
            f"the path, and {then}."
        ) from error


def _open_stream(name: str) -> BinaryIO:
    if name == outputs.STDOUT:
        return sys.stdout.buffer
    return open(name, "wb")


def with_witnesses(run: Run, witnesses: Sequence[Any]) -> Run:
    """The run with rows that go with each chunk."""
    return replace(run, scoring=replace(run.scoring, witnesses=witnesses))


def state_place(output: Output) -> Path | None:
    """Where the state of a run is kept that cannot be beside its output; None where it can."""
    if not (output.is_address or output.is_stream):
        folder = os.path.dirname(os.path.abspath(output.name))
        if os.access(folder, os.W_OK) and not os.path.ismount(output.name):
            return None
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    try:
        os.makedirs(cache, exist_ok=True)
    except OSError:
        cache = tempfile.gettempdir()
    if not os.access(cache, os.W_OK):
        cache = tempfile.gettempdir()
    key = zlib.crc32(output.name.encode("utf-8"))
    return Path(cache) / "polyhost" / "batch" / f"{key:08x}-{os.path.basename(output.name)[:60]}"
