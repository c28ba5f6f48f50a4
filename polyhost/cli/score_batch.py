"""``polyhost score`` on inputs of any size: chunks through the workers of one model."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from polyhost import __version__
from polyhost.batch import inputs, outputs, readers, run, witnesses
from polyhost.batch.chunks import Chunk
from polyhost.batch.inputs import STDIN, Input
from polyhost.batch.outputs import STDOUT, Output
from polyhost.batch.progress import ProgressLine
from polyhost.batch.readers import Progress, Reading
from polyhost.batch.run_folder import refuse_existing
from polyhost.batch.scoring import Scoring
from polyhost.cli.guarded import term_interrupts
from polyhost.cli.options import fetch_files, model_spec
from polyhost.cli.score_sample import print_sample
from polyhost.cli.score_times import print_times
from polyhost.code_dir.fingerprint import fingerprint
from polyhost.codecs.batch import ARROW, Options
from polyhost.data.target import TargetType
from polyhost.embed.worker_model import BackgroundModel, HostOptions
from polyhost.errors import InvalidInput, SettingsError, WrongOptions
from polyhost.predictor import ModelSpec
from polyhost.settings import ModelConfig
from polyhost.wire import linux

if TYPE_CHECKING:
    from polyhost.cluster.ray_score import RayModel

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that say how many threads a library may use in one process."""
_PLAN_FLAGS = (
    *("delimiter", "charset", "chunk_rows", "limit", "on_error", "passthrough", "id_column"),
    *("input_format", "output_format", "target_type", "positive_class_label", "class_labels"),
    *("negative_class_label", "language", "strict_rows", "positive_first", "unknown_levels"),
    *("extra_outputs", "rejects"),
)
"""Flags that the answers, or where they are, depend on."""


@dataclass(frozen=True)
class Way:
    """Whether inputs are scored as a whole or in chunks, and why."""

    whole: bool
    why: str


def score(options: argparse.Namespace) -> int:
    """Score the inputs in worker processes of this command."""
    fetch_files(options)
    spec = model_spec(options)
    if spec.target.type is TargetType.UNSTRUCTURED:
        options.parser.error(
            "an unstructured model gets one file as it is: give one --input and an --output, and none "
            "of the flags for chunks"
        )
    output = _output(options)
    sources = inputs.find([str(name) for name in options.input], options.input_format)
    if output is not None:
        _check(options, output)
    started = time.perf_counter()
    with term_interrupts(), _model(options, spec) as model:
        loaded = time.perf_counter()
        _Command(options, spec, sources, output, model).run()
        scored = time.perf_counter()
    if options.show_perf and str(options.output) != STDOUT:
        print_times(started, loaded, scored)
    return 0


def _output(options: argparse.Namespace) -> Output | None:
    if options.output is None:
        if options.sample is None:
            options.parser.error("--output is needed: a file, an address, or - for standard output")
        return None
    return outputs.of(str(options.output), options.output_format)


def _check(options: argparse.Namespace, output: Output) -> None:
    if output.is_stream and options.resume:
        options.parser.error("--resume needs an --output that is a file or an address")
    if output.is_stream and options.on_error != "fail" and options.rejects is None:
        options.parser.error(f"--on-error {options.on_error} needs --rejects beside --output -")
    if options.overwrite or output.is_stream or options.parser.prog.startswith("drum"):
        return
    if output.is_address:
        if outputs.exists(output.name):
            raise SettingsError(f"{output.name} is there already. Give --overwrite to replace it.")
    else:
        refuse_existing(Path(output.name))


Model = Union[BackgroundModel, "RayModel"]
"""A model behind workers here, or behind actors of a cluster."""


@contextmanager
def _model(options: argparse.Namespace, spec: ModelSpec) -> Iterator[Model]:
    if options.engine != "ray":
        if options.ray_address is not None:
            raise WrongOptions("--ray-address needs --engine ray.")
        with _model_here(options, spec) as here:
            yield here
        return
    from polyhost.cluster.ray_files import connected
    from polyhost.cluster.ray_score import open_model

    with connected(options.ray_address) as ray:
        actors = 1 if options.sample is not None else options.workers
        model = open_model(ray, spec, actors or (1 if spec.custom_file is not None else None))
        try:
            yield model
        finally:
            model.close()


@contextmanager
def _model_here(options: argparse.Namespace, spec: ModelSpec) -> Iterator[BackgroundModel]:
    cores = len(os.sched_getaffinity(0))
    workers = options.workers or (1 if spec.custom_file is not None else cores)
    if options.sample is not None:
        workers = 1
    threads = str(max(1, cores // workers))
    environment = {name: threads for name in THREADS if name not in os.environ}
    to_stdout = options.output is not None and str(options.output) != STDOUT

    def on_output(_model: str, stream: str, data: bytes, _pid: int, _request: str) -> None:
        target = sys.stdout if stream == "stdout" and to_stdout else sys.stderr
        target.buffer.write(data)
        target.flush()

    host = HostOptions(warm=True, on_output=on_output, environment=environment)
    model = BackgroundModel(spec, None, workers, host)
    try:
        yield model
    finally:
        model.close()


class _Command:
    """One run of the command, with its model loaded."""

    def __init__(
        self,
        options: argparse.Namespace,
        spec: ModelSpec,
        sources: Sequence[Input],
        output: Output | None,
        model: Model,
    ) -> None:
        self._options = options
        self._spec = spec
        self._sources = sources
        self._output = output
        self._model = model
        self._out = sys.stderr
        self._quiet = options.quiet or options.parser.prog.startswith("drum")
        self._way = self._chosen_way()
        if self._way.whole and options.on_error != "fail":
            raise SettingsError(
                f"--on-error {options.on_error} needs chunks: this model gets {self._way.why}. Give "
                "--chunk-rows."
            )

    def run(self) -> None:
        """Score, or show a sample."""
        options = self._options
        rows = options.chunk_rows
        reading = Reading(rows, options.delimiter, options.charset, self._way.whole)
        with self._rereadable(reading) as sources:
            first = self._first_chunk(sources, reading)
            scoring = self._scoring(sources, first)
            scoring = self._with_witnesses(scoring, sources, reading, first)
            if options.sample is not None:
                print_sample(self._model.info, scoring, first, options.sample)
            else:
                self._score(sources, reading, scoring)

    def _chosen_way(self) -> Way:
        info = self._model.info
        hooks = [name for name in info.hooks if name not in ("init", "load_model")]
        if self._options.chunk_rows:
            return Way(False, f"{self._options.chunk_rows:,} rows at a time, as --chunk-rows says")
        if hooks:
            return Way(
                True,
                f"all of it in one call, since the hook(s) {', '.join(hooks)} may look across rows "
                "(--chunk-rows N scores N rows at a time)",
            )
        if self._spec.target.type is TargetType.TRANSFORM or not info.guest.row_wise:
            return Way(
                True,
                "all of it in one call, since this model is not known to treat each row on its own "
                "(--chunk-rows N scores N rows at a time)",
            )
        return Way(False, "in chunks, since this model treats each row on its own")

    @contextmanager
    def _rereadable(self, reading: Reading) -> Iterator[Sequence[Input]]:
        """The inputs, each of which can be read more than once."""
        options = self._options
        if not any(source.name == STDIN for source in self._sources):
            yield self._sources
            return
        place = next(i for i, source in enumerate(self._sources) if source.name == STDIN)
        with inputs.kept(self._sources[place]) as file:
            sources = list(self._sources)
            sources[place] = file
            if options.resume:
                options.parser.error("--resume cannot go on with standard input: give a file")
            yield sources

    def _first_chunk(self, sources: Sequence[Input], reading: Reading) -> Chunk:
        if reading.whole:  # a look at its columns needs no more than its beginning
            reading = replace(reading, whole=False, rows=self._options.sample or 1000)
        elif self._options.sample:
            reading = replace(reading, rows=self._options.sample)
        found = readers.chunks(sources, reading)
        try:
            return next(found)
        finally:
            found.close()  # type: ignore[attr-defined]

    def _scoring(self, sources: Sequence[Input], first: Chunk) -> Scoring:
        options, output = self._options, self._output
        before = (options.id_column,) if options.id_column else ()
        after = tuple(options.passthrough or ())
        if after == ("all",):
            after = tuple(name for name in first.names if name not in before)
        absent = [name for name in (*before, *after) if name not in first.names]
        if absent:
            raise InvalidInput(
                f"{sources[0].name}: column(s) {', '.join(map(repr, absent))} are not there: found "
                f"{', '.join(map(repr, first.names))}. Correct --id-column or --passthrough."
            )
        colnames: tuple[str, ...] = ()
        if options.sparse_column_file:
            from polyhost.formats.sparse import read_names

            colnames = tuple(read_names(options.sparse_column_file.read_bytes()))
        return Scoring(
            self._model,
            "transform" if self._spec.target.type is TargetType.TRANSFORM else "predict",
            ARROW if output is None else output.accept,
            Options(
                before=before,
                after=after,
                delimiter=options.delimiter,
                colnames=colnames,
                whole=self._way.whole,
            ),
            [source.name for source in self._sources],
            options.on_error,
        )

    def _with_witnesses(
        self, scoring: Scoring, sources: Sequence[Input], reading: Reading, first: Chunk
    ) -> Scoring:
        if self._way.whole or not witnesses.are_needed(self._model.info, first):
            return scoring
        found = witnesses.find(readers.chunks(sources, reading))
        return replace(scoring, witnesses=witnesses.settled(scoring, first, found))

    def _score(self, sources: Sequence[Input], reading: Reading, scoring: Scoring) -> None:
        options, output = self._options, self._output
        assert output is not None
        progress = Progress()
        sizes = [source.size for source in sources]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        watcher = ProgressLine(
            self._out,
            share=lambda: progress.taken / total if total else None,
            workers=self._model.workers,
            pids=lambda: linux.family(os.getpid()),
            quiet=self._quiet,
        )
        if not self._quiet:
            print(f"polyhost: {self._way.why}", file=self._out, flush=True)
        place = run.state_place(output)
        try:
            run.score(
                run.Run(sources, reading, scoring, output, self._rejects(), options.limit),
                watcher,
                progress,
                plan=self._plan(),
                resume=options.resume,
                place=place,
            )
        except KeyboardInterrupt:
            watcher.close()
            if watcher.rows and not output.is_stream:
                print("polyhost: stopped; --resume goes on from there", file=self._out)
            raise
        finally:
            watcher.close()
        if not self._quiet:
            print(f"polyhost: {watcher.summary()}", file=self._out)

    def _rejects(self) -> Path | None:
        options, output = self._options, self._output
        assert output is not None
        if options.rejects is not None or options.on_error == "fail":
            found: Path | None = options.rejects
            return found
        name = os.path.basename(output.name) if output.is_address else output.name
        return Path(f"{name}.rejects.csv").absolute()

    def _plan(self) -> dict[str, Any]:
        """What the answers depend on: a run goes on only where all of it is the same."""
        plan: dict[str, Any] = {"polyhost's version": __version__}
        plan["the input"] = [source.identity() for source in self._sources]
        plan["the model"] = fingerprint(ModelConfig("model", self._spec))
        for dest in _PLAN_FLAGS:
            value = getattr(self._options, dest)
            plan["--" + dest.replace("_", "-")] = str(value) if isinstance(value, Path) else value
        return plan
