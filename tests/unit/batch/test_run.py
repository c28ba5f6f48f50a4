"""Whole runs over one model in this process: what is written for which input, and what a stop leaves."""

from __future__ import annotations

import csv
import decimal
import errno
import gzip
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

import polyhost
from polyhost.batch import inputs, outputs, run, witnesses
from polyhost.batch.readers import Progress, Reading, chunks
from polyhost.batch.scoring import Scoring
from polyhost.codecs.batch import Options
from polyhost.errors import InvalidInput, InvalidOutput, ModelError, SettingsError, StateError

CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    if (data["a"] == 666).any():
        raise ValueError("the number of the beast")
    kind = "|".join(str(data[c].dtype) for c in data.columns)
    frame = pd.DataFrame({"Predictions": data["a"] * model})
    if "kind" in data:
        frame["kinds"] = kind
    return frame
"""


class Watcher:
    """Counts; interrupts the run after so many chunks."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows = self.rejected = self.skipped = self.steps = 0
        self._stop = stop_after

    def step(self, rows: int, rejected: int) -> None:
        self.rows += rows
        self.rejected += rejected
        self.steps += 1
        if self.steps == self._stop:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "custom.py").write_text(CUSTOM, encoding="utf-8")
    with polyhost.load(folder, target_type="regression", in_process=True) as loaded:
        yield loaded


class Case:
    """Scores files of a folder, and knows where the answers are."""

    def __init__(self, model, folder: Path) -> None:
        self.model = model
        self.folder = folder

    def run(self, source, output="out.csv", *, rows=3, stop=None, resume=False, limit=None, **how):
        names = [
            str(self.folder / name) for name in ([source] if isinstance(source, str) else source)
        ]
        found = inputs.find(names, how.pop("input_format", None))
        reading = Reading(
            rows, how.pop("delimiter", ","), how.pop("charset", None), how.pop("whole", False)
        )
        target = outputs.of(str(self.folder / output))
        on_error = how.pop("on_error", "fail")
        options = Options(delimiter=reading.delimiter, whole=reading.whole, **how)
        called = [each.name for each in found]
        scoring = Scoring(self.model, "predict", target.accept, options, called, on_error)
        if not reading.whole:
            rows_first = list(witnesses.find(chunks(found, reading)))
            first = next(chunks(found, reading))
            scoring = replace(scoring, witnesses=witnesses.settled(scoring, first, rows_first))
        watcher = Watcher(stop)
        rejects = self.folder / "rejects.csv"
        plan = {"the input": [each.identity() for each in found], "rows": rows}
        run.score(
            run.Run(found, reading, scoring, target, rejects, limit),
            watcher,
            Progress(),
            plan=plan,
            resume=resume,
        )
        return watcher

    def read(self, name: str = "out.csv") -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_bytes(text.encode("utf-8"))


@pytest.fixture
def case(model, tmp_path):
    return Case(model, tmp_path)


ROWS = [(float(i), f'n "{i}",\n' if i % 4 == 0 else f"n{i}") for i in range(10)]
ANSWERS = "Predictions\n" + "".join(f"{2 * a}\n" for a, _ in ROWS)


def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["a", "name"])


def test_every_format_of_input_gives_the_same_answers(case):
    frame().to_csv(case.folder / "in.csv", index=False)
    text = case.read("in.csv")
    (case.folder / "in.csv.gz").write_bytes(gzip.compress(text.encode()))
    (case.folder / "in.csv.zst").write_bytes(zstandard.compress(text.encode()))
    (case.folder / "utf16.csv").write_bytes(text.encode("utf-16"))
    (case.folder / "bom.csv").write_bytes(text.encode("utf-8-sig"))
    frame().to_csv(case.folder / "semi.csv", index=False, sep=";")
    (case.folder / "latin.csv").write_bytes(
        text.replace("n", "ñ").replace("ñame", "name").encode("latin-1")
    )
    frame().to_json(case.folder / "in.jsonl", orient="records", lines=True)
    frame().to_parquet(case.folder / "in.parquet", row_group_size=4)
    table = pa.Table.from_pandas(frame())
    with pa.ipc.new_file(case.folder / "in.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    with pa.ipc.new_stream(case.folder / "in.arrows", table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    frame().assign(part=["x"] * 5 + ["y"] * 5).to_parquet(
        case.folder / "in", partition_cols=["part"]
    )
    names = ["in.csv", "in.csv.gz", "in.csv.zst", "utf16.csv", "bom.csv", "in.jsonl", "in.parquet"]
    for name in [*names, "in.arrow", "in.arrows", "in"]:
        assert case.run(name).steps >= 4, name
        assert case.read() == ANSWERS, name
    case.run("semi.csv", delimiter=";")
    assert case.read() == ANSWERS
    case.run("latin.csv", charset="latin-1", after=("name",))
    assert "ñ1" in case.read()


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
def test_answers_do_not_depend_on_the_chunks(case, rows):
    """A column is text, or has missing cells, as in the whole input: each chunk sees the same."""
    case.write("in.csv", "a,kind,hole\n1,5,1\n2,6,2\n3,x,3\n4,7,\n5,8,5\n")
    case.run("in.csv", "whole.csv", whole=True)
    case.run("in.csv", "chunks.csv", rows=rows)
    assert case.read("chunks.csv") == case.read("whole.csv")
    assert "int64|str|float64" in case.read("whole.csv")


def test_whole_numbers_become_fractions_as_in_one_call(case):
    """Chunks of whole numbers beside one of fractions: the model sees fractions in all of them."""
    case.write("in.csv", "a\n1\n2\n3\n4.5\n")
    case.run("in.csv", rows=2)
    assert case.read() == "Predictions\n2.0\n4.0\n6.0\n9.0\n"


def test_answers_that_are_whole_numbers_in_some_chunks_are_written_alike(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(
        "import pandas as pd\n"
        "def load_model(code_dir):\n    return 1\n"
        "def score(data, model, **kwargs):\n"
        "    values = data['a'].astype(float)\n"
        "    whole = (values % 1 == 0).all()\n"
        "    return pd.DataFrame({'Predictions': values.astype(int) if whole else values})\n"
    )
    with polyhost.load(folder, target_type="regression", in_process=True) as model:
        case = Case(model, tmp_path)
        case.write("in.csv", "a,b\n" + "".join(f"{i}.0,x\n" for i in range(4)) + "4.5,y\n")
        case.run("in.csv", rows=2, after=("b",))
        assert case.read() == "Predictions,b\n0.0,x\n1.0,x\n2.0,x\n3.0,x\n4.5,y\n"
        case.run("in.csv", "out.parquet", rows=2)
        assert pd.read_parquet(tmp_path / "out.parquet")["Predictions"].tolist() == [
            0,
            1,
            2,
            3,
            4.5,
        ]
        stream = outputs.Output(outputs.STDOUT, "csv")
        sink = run.StreamSink(io.BytesIO())
        scoring = Scoring(model, "predict", stream.accept, Options(), ["in.csv"])
        found = inputs.find([str(tmp_path / "in.csv")])
        with pytest.raises(InvalidOutput, match="standard output cannot take back"):
            run.execute(run.Run(found, Reading(2), scoring, stream), sink, Watcher(), Progress())


def test_several_inputs_patterns_and_a_limit(case):
    case.write("x1.csv", "a\n1.5\n2.5\n")
    case.write("x2.csv", "extra,a\n0,3.5\n0,4.5\n")
    case.write("y1.csv", "a,kind,b\n1.5,u,2\n2.5,v,3\n")
    case.write("y2.csv", "b,kind,a\nx,w,3.5\n")
    case.run(["x*.csv", "x1.csv"])
    assert case.read() == "Predictions\n3.0\n5.0\n7.0\n9.0\n3.0\n5.0\n"
    assert case.run(["x*.csv"], limit=3).rows == 3
    assert case.read() == "Predictions\n3.0\n5.0\n7.0\n"
    case.run(["y1.csv", "y2.csv"], rows=1)
    assert case.read() == (
        "Predictions,kinds\n3.0,float64|str|str\n5.0,float64|str|str\n7.0,str|str|float64\n"
    )
    with pytest.raises(SettingsError, match="no file matches"):
        case.run("z*.csv")


def test_columns_of_the_input_stand_beside_the_answers(case):
    case.write("in.csv", 'a,id,note\n1.5,007,"x, y"\n2.5,,NA\n')
    case.run("in.csv", before=("id",), after=("note", "a"))
    assert case.read() == 'id,Predictions,note,a\n007,3.0,"x, y",1.5\n,5.0,NA,2.5\n'


def test_columns_keep_their_types_from_parquet_to_parquet(case):
    table = pa.table(
        {
            "a": [1.5, 2.5, 3.5, 4.5],
            "id": pa.array([1, None, 2**60, 3], pa.int64()),
            "price": pa.array([decimal.Decimal("1.10")] * 4, pa.decimal128(10, 2)),
            "at": pa.array([0, 1, None, 3], pa.timestamp("us", "UTC")),
        }
    )
    pyarrow.parquet.write_table(table, case.folder / "in.parquet")
    beside = {"before": ("id",), "after": ("price", "at")}
    case.run("in.parquet", "out.parquet", **beside)
    found = pyarrow.parquet.read_table(case.folder / "out.parquet")
    assert found.drop(["Predictions"]).equals(table.select(["id", "price", "at"]))
    assert found["Predictions"].to_pylist() == [3.0, 5.0, 7.0, 9.0]
    case.run("in.parquet", "out.csv", **beside)
    lines = case.read().splitlines()
    assert lines[0] == "id,Predictions,price,at"
    assert lines[3].startswith(f"{2**60},7.0,1.10,")


@pytest.mark.parametrize(
    "name", ["out.csv.gz", "out.csv.zst", "out.jsonl", "out.arrow", "out.arrows"]
)
def test_every_format_of_output_holds_the_same_answers(case, name):
    frame().to_csv(case.folder / "in.csv", index=False)
    case.run("in.csv", name, after=("name",))
    path = case.folder / name
    if name.endswith(".gz"):
        found = pd.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))
    elif name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        found = pd.read_csv(io.BytesIO(data))
    elif name.endswith(".jsonl"):
        found = pd.DataFrame([json.loads(line) for line in path.read_text("utf-8").splitlines()])
    elif name.endswith(".arrow"):
        found = pa.ipc.open_file(path).read_all().to_pandas()
    else:
        found = pa.ipc.open_stream(path).read_all().to_pandas()
    assert found["Predictions"].tolist() == [2 * a for a, _ in ROWS]
    assert found["name"].tolist() == [name for _, name in ROWS]


BAD = "a,id\n1.5,p\n666,q\n3.5,r\n4.5,s\n5.5,t\n666,u\n7.5,v\n"


def test_the_first_bad_row_ends_the_run_and_is_named(case):
    case.write("in.csv", BAD)
    with pytest.raises(ModelError, match=r"in\.csv, row 2: .*number of the beast") as caught:
        case.run("in.csv")
    assert caught.value.facts["row"] == 2
    assert not (case.folder / "out.csv").exists()


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_bad_rows_are_left_out_or_have_no_answers(case, rows):
    case.write("in.csv", BAD)
    assert case.run("in.csv", rows=rows, on_error="skip", before=("id",)).rejected == 2
    assert case.read() == "id,Predictions\np,3.0\nr,7.0\ns,9.0\nt,11.0\nv,15.0\n"
    rejects = list(csv.reader(io.StringIO(case.read("rejects.csv"))))
    assert [(row[1], *row[3:]) for row in rejects] == [
        ("row", "a", "id"),
        ("2", "666", "q"),
        ("6", "666", "u"),
    ]
    assert "number of the beast" in rejects[1][2]
    if rows > 1:
        case.run("in.csv", rows=rows, on_error="null", before=("id",))
        assert case.read() == "id,Predictions\np,3.0\nq,\nr,7.0\ns,9.0\nt,11.0\nu,\nv,15.0\n"
        case.run("in.csv", "out.parquet", rows=rows, on_error="null", before=("id",))
        found = pd.read_parquet(case.folder / "out.parquet")
        assert found["id"].tolist() == list("pqrstuv")
        assert found["Predictions"].isna().tolist() == [
            False,
            True,
            False,
            False,
            False,
            True,
            False,
        ]


def test_a_row_of_another_width_is_a_bad_row(case):
    case.write("in.csv", "a,id\n1.5,p\n2.5,q,zzz\n3.5\n4.5,s\n")
    with pytest.raises(InvalidInput, match=r"row 2 has 3 fields: expected 2"):
        case.run("in.csv")
    case.write("good.csv", "a,id\n1.5,p\n4.5,s\n")
    case.run("good.csv", "good-out.csv")
    assert case.read("good-out.csv") == "Predictions\n3.0\n9.0\n"


def test_a_file_of_bad_rows_alone_ends_the_run(case):
    case.write("in.csv", "a,id\n" + "666,x\n" * 300)
    with pytest.raises(InvalidInput, match="the first 100 rows all fail"):
        case.run("in.csv", rows=50, on_error="skip")
    case.write("few.csv", "a,id\n" + "666,x\n" * 3)
    with pytest.raises(InvalidInput, match="no row of the input could be scored"):
        case.run("few.csv", on_error="skip")
    assert not (case.folder / "out.csv").exists()


@pytest.mark.parametrize("output", ["out.csv", "out.parquet", "out.jsonl"])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_goes_on_where_it_was_interrupted(case, output, stop):
    frame().to_csv(case.folder / "in.csv", index=False)
    case.run("in.csv", f"whole-{output}")
    with pytest.raises(KeyboardInterrupt):
        case.run("in.csv", output, stop=stop)
    assert not (case.folder / output).exists()
    watcher = case.run("in.csv", output, resume=True)
    assert watcher.skipped == 3 * stop
    assert watcher.rows == 10
    assert (case.folder / output).read_bytes() == (case.folder / f"whole-{output}").read_bytes()
    assert not list(case.folder.glob("*.polyhost-run"))


def test_what_a_kill_left_half_written_is_written_again(case):
    frame().to_csv(case.folder / "in.csv", index=False)
    with pytest.raises(KeyboardInterrupt):
        case.run("in.csv", stop=2)
    folder = case.folder / "out.csv.polyhost-run"
    with open(folder / "data", "ab") as data, open(folder / "journal", "ab") as journal:
        data.write(b"99.0\n98")
        journal.write(b'{"mark": [0, 3')
    assert case.run("in.csv", resume=True).skipped == 6
    assert case.read() == ANSWERS


def test_answers_that_are_not_what_was_written_are_scored_again(case):
    frame().to_csv(case.folder / "in.csv", index=False)
    with pytest.raises(KeyboardInterrupt):
        case.run("in.csv", stop=2)
    data = case.folder / "out.csv.polyhost-run" / "data"
    data.write_bytes(data.read_bytes()[:-4] + b"\0\0\0\n")
    assert case.run("in.csv", resume=True).skipped == 3
    assert case.read() == ANSWERS


def test_a_run_does_not_go_on_with_something_else(case):
    frame().to_csv(case.folder / "in.csv", index=False)
    with pytest.raises(KeyboardInterrupt):
        case.run("in.csv", stop=2)
    with pytest.raises(StateError, match="changed since are rows"):
        case.run("in.csv", rows=4, resume=True)
    stat = os.stat(case.folder / "in.csv")
    case.write("in.csv", case.read("in.csv").replace("n1", "n2"))
    with pytest.raises(StateError, match="changed since are the input"):
        case.run("in.csv", resume=True)
    os.utime(case.folder / "in.csv", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(StateError, match="has changed since, from row 1 on"):
        case.run("in.csv", resume=True)
    case.run("in.csv")
    assert case.read() == ANSWERS


def test_an_output_that_cannot_be_renamed_over_is_written_in_place(case, monkeypatch):
    """As a container has it that mounts the file, or its folder is closed to us."""
    frame().to_csv(case.folder / "in.csv", index=False)
    (case.folder / "out.csv").touch()
    replace_file = os.replace

    def busy(source, target):
        if str(target).endswith("out.csv"):
            raise OSError(errno.EBUSY, "busy")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", busy)
    case.run("in.csv")
    assert case.read() == ANSWERS
    assert not list(case.folder.glob("*.polyhost-run"))
    closed = outputs.of(str(case.folder / "closed" / "out.csv"))
    (case.folder / "closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(case.folder / "cache"))
    place = run.state_place(closed)
    assert place is not None
    assert place.parent == case.folder / "cache" / "polyhost" / "batch"


def test_an_encoding_that_does_not_fit_names_the_row(case):
    (case.folder / "in.csv").write_bytes(b"a,id\n1.5,p\n2.5,caf\xe9\n3.5,r\n")
    with pytest.raises(InvalidInput, match=r"in\.csv, row 2: .*Give --charset"):
        case.run("in.csv", rows=2)
    case.run("in.csv", rows=2, on_error="skip")
    assert case.read() == "Predictions\n3.0\n7.0\n"
    case.run("in.csv", rows=2, charset="latin-1", on_error="skip")
    assert not (case.folder / "rejects.csv").exists()


def test_two_runs_do_not_write_to_one_output(case):
    frame().to_csv(case.folder / "in.csv", index=False)
    folder = run.RunFolder(case.folder / "out.csv")
    folder.open({}, resume=False)
    with pytest.raises(StateError, match="another run writes to"):
        case.run("in.csv")
    folder.close()
    case.run("in.csv")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("in.csv.gz", gzip.compress(b"a\n1.5\n" * 1000, mtime=0)[:-20], "cannot be unpacked"),
        ("in.csv.zst", zstandard.compress(b"a\n1.5\n" * 1000)[:-5], "cannot be unpacked"),
        ("in.parquet", b"PAR1 and no more", "is not a whole parquet file"),
        ("in.arrow", b"ARROW1\0\0 and no more", "is not a whole arrow file"),
        ("in.jsonl", b"", "there are no lines"),
        ("in.csv", b"", "the CSV body is empty"),
        ("in.csv", b"a\n", "the table has no rows"),
        ("in.csv", b"a,b\n1,\0\n", "NUL byte"),
        (
            "in.mtx",
            b"%%MatrixMarket matrix array real general\n1 1\n1\n",
            "it is not Matrix Market",
        ),
    ],
)
def test_a_file_that_is_none_is_named(case, name, data, says):
    (case.folder / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=says) as caught:
        case.run(name)
    assert name in caught.value.message
    assert not list(case.folder.glob("out*"))


def test_addresses_both_ways(model, tmp_path, monkeypatch):
    """Objects of fsspec's memory file system, packed, by a pattern; the state is kept in the cache."""
    import fsspec

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.pipe("/batch-test/a.csv", b"a\n1.5\n2.5\n")
    system.pipe("/batch-test/b.csv.gz", gzip.compress(b"a\n3.5\n"))
    frame()[["a"]].to_parquet(tmp_path / "rows.parquet")
    system.put_file(str(tmp_path / "rows.parquet"), "/batch-test/rows.parquet")
    target = outputs.of("memory://batch-test/out.csv")

    def score(*names: str, stop: int | None = None, resume: bool = False) -> Watcher:
        found = inputs.find(names)
        called = [each.name for each in found]
        scoring = Scoring(model, "predict", target.accept, Options(), called)
        watcher = Watcher(stop)
        work = run.Run(found, Reading(1), scoring, target)
        plan = {"the input": [each.identity() for each in found]}
        place = run.state_place(target)
        run.score(work, watcher, Progress(), plan=plan, resume=resume, place=place)
        return watcher

    try:
        with pytest.raises(KeyboardInterrupt):
            score("memory://batch-test/*.csv*", stop=2)
        assert not outputs.exists(target.name)
        assert score("memory://batch-test/*.csv*", resume=True).skipped == 2
        assert system.cat("/batch-test/out.csv") == b"Predictions\n3.0\n5.0\n7.0\n"
        score("memory://batch-test/rows.parquet")
        assert system.cat("/batch-test/out.csv").decode() == ANSWERS
        assert not list((tmp_path / "cache").rglob("data"))
        with pytest.raises(SettingsError, match="nothing is at memory://batch-test/none"):
            score("memory://batch-test/none.csv")
    finally:
        system.rm("/batch-test", recursive=True)


def test_a_sparse_matrix_whose_cells_come_in_any_order(tmp_path):
    import random

    from scipy import io as scipy_io
    from scipy import sparse

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(
        "import pandas as pd\n"
        "def load_model(code_dir):\n    return 1\n"
        "def score(data, model, **kwargs):\n"
        "    weights = range(1, data.shape[1] + 1)\n"
        "    return pd.DataFrame({'Predictions': data.to_numpy() @ list(weights)})\n"
    )
    matrix = sparse.random(20, 6, 0.3, random_state=5, format="coo")
    scipy_io.mmwrite(tmp_path / "in.mtx", matrix)
    head, sizes, *cells = (tmp_path / "in.mtx").read_text().replace("%\n", "").splitlines()
    random.Random(1).shuffle(cells)
    (tmp_path / "in.mtx").write_text("\n".join([head, "% a comment", sizes, *cells, ""]))
    with polyhost.load(folder, target_type="regression", in_process=True) as model:
        case = Case(model, tmp_path)
        case.run("in.mtx", rows=7)
        found = [float(line) for line in case.read().splitlines()[1:]]
        assert found == pytest.approx((matrix.toarray() @ [1, 2, 3, 4, 5, 6]).tolist())
        (tmp_path / "in.mtx").write_text("\n".join([head, sizes, *cells[:-1], ""]))
        with pytest.raises(InvalidInput, match=r"its head says 36\. Is the file cut off"):
            case.run("in.mtx")
