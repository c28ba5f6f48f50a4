"""Hooks in Julia: how they are found, called and told; what goes wrong; how the process fares."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.guest_process import Ended, GuestProcess

from polyhost.bridges import julia as bridge
from polyhost.bridges.julia import installation
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    RuntimeUnavailable,
)
from polyhost.pipeline.fit import FitJob
from polyhost.predictor import ModelSpec

pytestmark = pytest.mark.runtime("julia")

BINARY = Target(TargetType.BINARY, ("yes", "no"))
MULTICLASS = Target(TargetType.MULTICLASS, ("x", "y", "z"))
UNSTRUCTURED = Target(TargetType.UNSTRUCTURED)
ONE = Table(["a"], [np.array([2.0])])


def run(guest, hook, table=ONE):
    return guest.unwrap(guest.hook(hook, guest.wrap(table), guest.context()))


# How hooks are found


@pytest.mark.parametrize(
    "custom",
    [
        "score(data, model) = 1\nhelper() = 2",
        "module Custom\nexport score\nscore(data, model) = 1\nend",
        "module Custom\nscore(data, model) = 1\nend",
        "# of a module\nmodule Custom # here\n\nusing Dates\nconst score = (data, model) -> 1\nend",
        'include("more.jl")',
    ],
)
def test_hooks_are_found(opened, tmp_path_factory, julia_process, custom):
    code_dir = tmp_path_factory.mktemp("model")
    (code_dir / "custom.jl").write_text(custom)
    (code_dir / "more.jl").write_text("score(data, model) = 1")
    spec = ModelSpec(code_dir, "julia", BINARY, Path("custom.jl"))
    assert julia_process.open(spec).hooks == {"score"}


def test_a_name_that_a_package_brings_is_no_hook(opened):
    custom = "module Library\nexport transform\ntransform(x) = x\nend\nmodule Custom\n"
    guest = opened(custom + "using ..Library\nscore(data, model) = 1\nend")
    assert guest.hooks == {"score"}


def test_no_custom_file_has_no_hooks(julia_process, tmp_path):
    assert julia_process.open(ModelSpec(tmp_path, "julia", BINARY)).hooks == frozenset()


# What hooks are told

TOLD = {
    "kwargs": "score(data, model; kwargs) = told(kwargs)",
    "kwargs...": "score(data, model; kwargs...) = told((; kwargs...))",
    "names": "score(data, model; positive_class_label, negative_class_label, class_labels) = "
    "told((; positive_class_label=positive_class_label, "
    "negative_class_label=negative_class_label, class_labels=class_labels))",
}
TELL = """
load_model(code_dir) = 1
told(x) = (v = [string(x.positive_class_label), string(x.negative_class_label),
                repr(x.class_labels)],)
"""


@pytest.mark.parametrize("form", TOLD)
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (BINARY, ["yes", "no", "nothing"]),
        (MULTICLASS, ["nothing", "nothing", '["x", "y", "z"]']),
        (Target(TargetType.REGRESSION), ["nothing", "nothing", "nothing"]),
    ],
)
def test_score_is_told_the_labels(opened, form, target, expected):
    guest = opened(TELL + TOLD[form], target)
    assert run(guest, "score").columns[0].tolist() == expected


def test_score_takes_what_it_names(opened):
    guest = opened(
        "load_model(d) = 1\nscore(data, model; class_labels) = (c = class_labels,)", MULTICLASS
    )
    assert run(guest, "score").columns[0].tolist() == ["x", "y", "z"]


def test_the_hooks_in_order(opened):
    guest = opened(
        """
        const SEEN = String[]
        init(code_dir) = push!(SEEN, basename(code_dir))
        load_model(code_dir) = 10.0
        read_input_data(bytes) = (a = Float64.(bytes),)
        transform(data, model) = (a = data.a .+ model,)
        score(data, model) = (p = data.a .* 2,)
        post_process(predictions, model) = (p = predictions.p .+ length(SEEN),)
        """
    )
    guest.run_init()
    data = guest.hook("read_input_data", b"\x01\x02", guest.context())
    for name in ("transform", "score", "post_process"):
        data = guest.hook(name, data, guest.context())
    assert guest.unwrap(data).columns[0].tolist() == [23.0, 25.0]


def test_load_model_that_returns_nothing_says_so(opened):
    assert opened("load_model(code_dir) = nothing", load=False).run_load_model() is False


def test_the_target_column_goes_to_a_transform_that_takes_it(opened):
    target = Target(TargetType.TRANSFORM)
    guest = opened("load_model(d) = 1\ntransform(data, model, y) = (s = data.a .+ y.t,)", target)
    y = guest.wrap(Table(["t"], [np.array([5])]))
    table = guest.apply_transformer(guest.wrap(ONE), y, guest.context())
    assert table.columns[0].tolist() == [7.0]


def test_a_transform_that_returns_a_pair_is_refused(opened):
    guest = opened("load_model(d) = 1\ntransform(data, model) = (data, data)")
    with pytest.raises(InvalidOutput, match="tuple of 2"):
        guest.apply_transformer(guest.wrap(ONE), None, guest.context())


# Unstructured

ECHO = """
load_model(code_dir) = "m"
function show_all(data, model, kwargs)
    keys_ = join(sort!(collect(string.(keys(kwargs)))), " ")
    string(typeof(data), " ", model, " ", kwargs[:mimetype], " ", kwargs[:charset], " ",
           join(sort([k * "=" * v for (k, v) in kwargs[:query]]), "&"), " | ", keys_)
end
"""
FORMS = {
    "by name": "score_unstructured(data; model, kwargs) = show_all(data, model, kwargs)",
    "positional": "score_unstructured(data, model; kwargs) = show_all(data, model, kwargs)",
    "slurped": "score_unstructured(data; model, kwargs...) = show_all(data, model, kwargs)",
    "documented": "score_unstructured(model, data; kwargs...) = show_all(data, model, kwargs)",
    "both slurped": "score_unstructured(data, model; kwargs...) = show_all(data, model, kwargs)",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_score_unstructured(opened, form):
    guest = opened(ECHO + FORMS[form], UNSTRUCTURED)
    query = (("k", "é"), ("j", "1"), ("j", "2"))
    payload = Payload(b"", "text/x", "utf8", query, {"H": "v"})
    reply = guest.unstructured("t", guest.context(payload))
    assert reply.body == "String m text/x utf8 j=1&k=é | charset headers mimetype query"
    batch = guest.unstructured(b"\0", guest.context(Payload(b"", query=query)))
    assert batch.body.endswith(" j=2&k=é | charset mimetype query")


def test_a_score_unstructured_that_leaves_its_order_open_is_refused_at_load(opened):
    guest = opened('load_model(d) = "m"\nscore_unstructured(a, b; kwargs...) = a', UNSTRUCTURED)
    with pytest.raises(MissingHook, match="Name them model and data"):
        guest.describe()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"té\\0xt"', ("té\0xt", None, None)),
        ("nothing", (None, None, None)),
        ("UInt8[0, 255]", (b"\0\xff", None, None)),
        ("UInt8[]", (b"", None, None)),
        ('""', ("", None, None)),
        ('b"ab"', (b"ab", None, None)),
        ('SubString("abc", 2)', ("bc", None, None)),
        ('("x", nothing)', ("x", None, None)),
        ('("x", Dict("mimetype" => "a/b"))', ("x", "a/b", None)),
        ('(UInt8[1], Dict("mimetype" => "a/b", "charset" => "c"))', (b"\1", "a/b", "c")),
        ('("x", (charset = "latin1",))', ("x", None, "latin1")),
    ],
)
def test_what_score_unstructured_may_return(opened, value, expected):
    guest = opened(
        f"load_model(d) = 1\nscore_unstructured(data; model, kwargs) = {value}", UNSTRUCTURED
    )
    reply = guest.unstructured("x", guest.context())
    assert (reply.body, reply.mimetype, reply.charset) == expected


@pytest.mark.parametrize("value", ["1", "[1, 2]", '("x", 1)', '("x", nothing, 1)', "(1, nothing)"])
def test_what_score_unstructured_may_not_return(opened, value):
    guest = opened(
        f"load_model(d) = 1\nscore_unstructured(data; model, kwargs) = {value}", UNSTRUCTURED
    )
    with pytest.raises(InvalidOutput, match="score_unstructured returned a "):
        guest.unstructured("x", guest.context())


def test_templates_that_speak_through_pycall_need_none(opened):
    guest = opened(
        """
        module Custom
        using PyCall
        load_model(code_dir) = "m"
        score_unstructured(data; model, kwargs) =
            PyCall.pybytes(data), PyCall.PyDict(Dict("mimetype" => "a/b"))
        end
        """,
        UNSTRUCTURED,
    )
    reply = guest.unstructured("é", guest.context())
    assert (reply.body, reply.mimetype) == ("é".encode(), "a/b")


# What goes wrong


def test_an_error_tells_type_message_traceback_and_place(opened):
    guest = opened("load_model(d) = 1\n\ninner(x) = x[5]\nscore(data, model) = inner([1])")
    with pytest.raises(ModelError) as raised:
        run(guest, "score")
    error = raised.value
    place = f"{guest.spec.code_dir / 'custom.jl'}:3"
    assert (error.language, error.hook, error.native_type) == ("julia", "score", "BoundsError")
    assert error.native_message.startswith("attempt to access 1-element")
    assert error.location == place
    lines = error.native_traceback.split("\n")
    assert any("inner" in line and place in line for line in lines)
    assert not any("entries.jl" in line for line in lines)


@pytest.mark.parametrize(
    ("code", "native_type", "says"),
    [
        ('error("with \\0 and é")', "ErrorException", "with \0 and é"),
        ('throw(Odd("x"))', "Odd", "an odd one: x"),
        ("throw(Silent())", "Silent", "showerror method fails"),
        ("deep(1)", "StackOverflowError", "StackOverflowError"),
        ("data.nowhere", "ArgumentError", 'no column "nowhere": found a'),
        ("missing_name", "UndefVarError", "missing_name"),
        ("score(1)", "MethodError", "no method matching"),
        ('parse(Int, "x")', "ArgumentError", "invalid base 10 digit"),
    ],
)
def test_errors_of_many_kinds(opened, code, native_type, says):
    guest = opened(
        f"""
        struct Odd <: Exception; what; end
        Base.showerror(io::IO, e::Odd) = print(io, "an odd one: ", e.what)
        struct Silent <: Exception end
        Base.showerror(io::IO, e::Silent) = error("no")
        deep(n) = 1 + deep(n + 1)
        load_model(d) = 1
        score(data, model) = {code}
        """
    )
    for _ in range(2):  # the process is none the worse
        with pytest.raises(ModelError) as raised:
            run(guest, "score")
        assert raised.value.native_type == native_type
        assert says in raised.value.native_message


@pytest.mark.parametrize(
    ("custom", "line", "says"),
    [
        ("load_model(d) = 1\n\nscore(data, model = (1 +\n", r"\d", "syntax|Parse"),
        ("load_model(d) = 1\nusing NoSuchPackage\n", "2", "NoSuchPackage"),
        ('load_model(d) = 1\n\nerror("while it loads")\n', "3", "while it loads"),
    ],
)
def test_a_custom_file_that_cannot_be_loaded(opened, custom, line, says):
    with pytest.raises(LoadError, match=says) as raised:
        opened(custom)
    assert raised.value.native_type == "LoadError"
    path, _, number = raised.value.location.rpartition(":")
    assert path.endswith("custom.jl")
    assert re.fullmatch(line, number)


def test_hooks_that_fail_name_themselves(opened):
    guest = opened('load_model(d) = error("no model")\ninit(d) = error("no init")', load=False)
    with pytest.raises(ModelError, match="'init' failed in julia: ErrorException: no init"):
        guest.run_init()
    with pytest.raises(ModelError, match="'load_model' failed in julia: ErrorException: no model"):
        guest.run_load_model()


# The process


def test_output_of_hooks_goes_to_the_process_s_own(opened, julia_process):
    guest = opened(
        'load_model(d) = 1\nscore(d, m) = (println("out é"); println(stderr, "err é"); d)'
    )
    run(guest, "score")
    assert "out é" in julia_process.out.read_text(encoding="utf-8")
    assert "err é" in julia_process.err.read_text(encoding="utf-8")


@pytest.fixture
def own_process(tmp_path):
    process = GuestProcess(tmp_path, JULIA_OPTIONS="-O1  --compile=min")
    yield process
    process.close()


def custom_in(folder, text):
    (folder / "custom.jl").write_text(text)
    return ModelSpec(folder, "julia", Target(TargetType.REGRESSION), Path("custom.jl"))


def test_exit_in_a_hook_is_the_process_s_own_status(own_process, tmp_path):
    guest = own_process.open(custom_in(tmp_path, "load_model(d) = 1\nscore(d, m) = exit(3)"))
    guest.run_load_model()
    with pytest.raises(Ended) as raised:
        run(guest, "score")
    assert raised.value.args == (3,)


def test_options_of_julias_command_line(own_process, tmp_path):
    asks = "(level = [Base.JLOptions().opt_level], compile = [Base.JLOptions().compile_enabled])"
    guest = own_process.open(custom_in(tmp_path, f"load_model(d) = 1\nscore(d, m) = {asks}"))
    guest.run_load_model()
    found = run(guest, "score")
    assert [column.tolist() for column in found.columns] == [[1], [3]]  # 3: as little as it can


@pytest.mark.parametrize("option", ["--sysimage=x", "-O4", "--compile", "-e", "--no-such"])
def test_an_option_that_would_end_the_process_is_refused(monkeypatch, option):
    monkeypatch.setenv("JULIA_OPTIONS", f"-O2 {option}")
    with pytest.raises(RuntimeUnavailable, match=f"JULIA_OPTIONS holds '{option}': expected -O0"):
        installation.options()


def test_a_term_signal_reaches_python(own_process, tmp_path):
    """Julia blocks it as it starts, and would answer it with a trace and status 143."""
    own_process.open(custom_in(tmp_path, "load_model(d) = 1"))
    own_process.process.send_signal(signal.SIGTERM)
    assert own_process.process.wait(timeout=30) == -signal.SIGTERM


def test_memory_stays_flat(opened, julia_process):
    guest = opened("load_model(d) = 1\nscore(data, model) = (p = data.a, s = data.s)")
    text = np.array([f"text {i}" for i in range(2000)], dtype=object)
    table = Table(["a", "s"], [np.ones(2000), text])
    body = b"a,s\n" + b"".join(b"%d,text %d\n" % (i, i) for i in range(2000))

    def work(times):
        for _ in range(times):
            run(guest, "score", table)
            guest.unwrap(guest.read(Payload(body)))
            julia_process.call(None, "drop")

    work(300)
    before = julia_process.memory()
    work(600)
    assert julia_process.memory() - before < 30 << 20


def test_nothing_can_interrupt_it(opened):
    assert opened("load_model(d) = 1").interrupt() is False


# What must be there


def test_a_missing_julia_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("POLYHOST_JULIA", raising=False)
    with pytest.raises(RuntimeUnavailable, match=r"https://julialang\.org/downloads"):
        installation.find()
    finding = bridge.doctor()[0]
    assert (finding.ok, "julialang.org" in finding.fix) == (False, True)


def test_a_named_julia_that_cannot_be_run_is_named(monkeypatch):
    monkeypatch.setenv("POLYHOST_JULIA", "/no/such/julia")
    with pytest.raises(RuntimeUnavailable, match="POLYHOST_JULIA names '/no/such/julia'"):
        installation.find()


def test_the_doctor_finds_version_and_extra():
    findings = bridge.doctor()
    assert [finding.ok for finding in findings] == [True, True]
    assert findings[0].found.startswith("1.")


def test_what_was_found_is_kept_and_damage_is_no_harm(monkeypatch, tmp_path, julia):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = installation.find()
    (kept,) = (tmp_path / "polyhost" / "julia").glob("installation-*.json")
    monkeypatch.setattr(subprocess, "run", None)  # nothing is asked again
    assert installation.find() == found
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept.write_text("{")
    assert installation.find() == found
    assert found.executable == str(Path(shutil.which(julia) or julia).resolve())


def test_many_processes_prepare_one_cache_which_an_image_can_take(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = "from polyhost.bridges import julia; print(julia.prepare())"
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    depots = {child.communicate(timeout=120)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0, 0]
    (depot,) = depots
    assert len(list(Path(depot).glob("compiled/*/PolyHost/*.ji"))) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    monkeypatch.setenv("POLYHOST_JULIA_CACHE", str(tmp_path / "polyhost" / "julia"))
    monkeypatch.setattr(subprocess, "run", None)  # nothing is asked or compiled again
    assert installation.prepare() == Path(depot)


def test_importing_the_bridge_starts_nothing():
    code = (
        "import sys, polyhost.bridges.julia; "
        "assert not {'julia', 'pandas', 'pyarrow'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Training

FIT = """
function fit(X, y, output_dir; class_order, row_weights, parameters)
    open(joinpath(output_dir, "seen.txt"), "w") do io
        for value in (propertynames(X), X.a, X.name, y, class_order, row_weights)
            println(io, value)
        end
        for name in sort(collect(keys(parameters)))
            println(io, name, " ", typeof(parameters[name]), " ", parameters[name])
        end
    end
end
"""
ROWS = Table(["a", "name"], [np.array([1.5, 2.5]), np.array(["x", "\u00e9"], object)])


def test_fit_gets_table_target_labels_and_parameters(opened, tmp_path):
    guest = opened(FIT)
    assert guest.hooks == {"fit"}
    target = Table(["y"], [np.array([3, 4])])
    given = {"depth": 5, "rate": 0.5, "deep": True, "name": "n", "none": None, "list": [1]}
    guest.fit(FitJob(ROWS, tmp_path, target, None, ("yes", "no"), given))
    assert (tmp_path / "seen.txt").read_text(encoding="utf-8").splitlines() == [
        *("[:a, :name]", "[1.5, 2.5]", '["x", "\u00e9"]', "[3, 4]", '["yes", "no"]', "nothing"),
        *("deep Bool true", "depth Int64 5", "list String [1]", "name String n"),
        *("none Nothing nothing", "rate Float64 0.5"),
    ]


def test_fit_may_take_no_keywords(opened, tmp_path):
    guest = opened('fit(X, y, dir) = write(joinpath(dir, "sum"), string(sum(y)))')
    guest.fit(FitJob(ROWS, tmp_path, Table(["y"], [np.array([3.0, 4.0])])))
    assert (tmp_path / "sum").read_text() == "7.0"


def test_what_fit_throws_is_told(opened, tmp_path):
    guest = opened('fit(X, y, dir) = error("no such depth")')
    with pytest.raises(ModelError, match="no such depth"):
        guest.fit(FitJob(ROWS, tmp_path))
    with pytest.raises(MissingHook, match="'fit' is missing"):
        opened("score(data, model) = 1").fit(FitJob(ROWS, tmp_path))
