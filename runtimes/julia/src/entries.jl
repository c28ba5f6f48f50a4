# The C entry points. All have one shape, so that a host declares one function type:
#
#     int entry(int64_t handle, const uint8_t *data, int64_t length, int64_t out[8])
#
# 0 is success; anything else has put the error, as JSON, where `last_error` finds it. Values stay
# on this side, in HANDLES, under the integer handles that the host keeps and frees. What `out`
# points at is valid until the next call. All calls must come from the thread that started Julia.

const Bytes = Ptr{UInt8}
const Out = Ptr{Int64}

const HANDLES = Dict{Int64,Any}()
const LAST_HANDLE = Ref{Int64}(0)
const LAST_ERROR = Ref{String}("")
const CODE_DIR = Ref{String}("")
const SENT = Ref{Any}(nothing)  # keeps alive what the last call's `out` points at

function keep(value)
    HANDLES[LAST_HANDLE[] += 1] = value
    LAST_HANDLE[]
end

give(out::Out, values::Int64...) =
    (foreach(i -> unsafe_store!(out, values[i], i), eachindex(values)); nothing)

function give_text(out::Out, text::String, first::Int = 1)
    SENT[] = (SENT[], text)
    unsafe_store!(out, Int64(UInt(pointer(text))), first)
    unsafe_store!(out, sizeof(text), first + 1)
    nothing
end

"""The texts and byte strings of a packed list: a count, then length (-1: nothing) and bytes."""
function unpack(data::Bytes)
    items = Union{Nothing,Vector{UInt8}}[]
    count, data = unsafe_load(Ptr{Int64}(data)), data + 8
    for _ = 1:count
        size, data = unsafe_load(Ptr{Int64}(data)), data + 8
        push!(items, size < 0 ? nothing : copy(at(UInt8, Int64(UInt(data)), size)))
        data += max(size, 0)
    end
    items
end

text(bytes::Vector{UInt8}) = String(bytes)
text(::Nothing) = nothing

numbers(data::Bytes, nbytes::Int64) = at(Int64, Int64(UInt(data)), nbytes >> 3)

function guarded(f, handle::Int64, data::Bytes, nbytes::Int64, out::Out)::Cint
    try
        SENT[] = nothing
        Base.invokelatest(f, handle, data, nbytes, out)
        return 0
    catch exception
        LAST_ERROR[] = json(report(exception, catch_backtrace(), CODE_DIR[]))
        flush_output()
        return 1
    end
end

flush_output() = (flush(stdout); flush(stderr))

function do_open(::Int64, data::Bytes, ::Int64, out::Out)
    given = map(text, unpack(data))
    CODE_DIR[] = code_dir = given[1]
    labels = String[label for label in given[4:end]]
    session = Session(code_dir; custom_file = given[2], target_type = given[3], labels = labels)
    give_text(out, json(Base.invokelatest(hook_names, session)), 2)
    give(out, keep(session))
    flush_output()
end

function do_init(handle::Int64, ::Bytes, ::Int64, ::Out)
    run_init(HANDLES[handle])
    flush_output()
end

function do_load_model(handle::Int64, ::Bytes, ::Int64, out::Out)
    give(out, Int64(run_load_model(HANDLES[handle])))
    flush_output()
end

function do_load_artifact(handle::Int64, data::Bytes, ::Int64, ::Out)
    parts = unpack(data)
    format, manifest = text(parts[1]), text(parts[2])
    objects = Pair{String,Any}[
        text(parts[i]) => restore(parts[i+1], format, manifest) for i = 3:2:length(parts)
    ]
    Base.invokelatest(load_artifact!, HANDLES[handle], objects)
    flush_output()
end

function do_describe(handle::Int64, ::Bytes, ::Int64, out::Out)
    check_unstructured(HANDLES[handle])
    give_text(out, json(describe(HANDLES[handle])))
end

function do_read(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    # The reader keeps nothing of the bytes: columns are made of its own values.
    frame = read_frame(HANDLES[handle], at(UInt8, Int64(UInt(data)), nbytes))
    give(out, keep(frame), rows_of(frame), Int64(length(propertynames(frame))))
end

do_schema(::Int64, data::Bytes, ::Int64, out::Out) =
    give(out, keep(unique_names(Symbol[Symbol(text(name)) for name in unpack(data)])))

function frame_of(session::Session, block::Vector{Int64})
    schema, rows, own, count = block[1:4]
    names = HANDLES[schema]::Vector{Symbol}
    columns = Vector{AbstractVector}(undef, count)
    for i = 1:count
        k = 4i
        column = Incoming(block[k+1], block[k+2], block[k+3], block[k+4])
        columns[i] =
            column.kind == LEVELS_KIND ?
            incoming_levels(column, rows, levels_named(session, names[i])) :
            column.kind == UNTYPED_KIND ? incoming_untyped(session, column, rows) :
            incoming(column, rows, own != 0)
    end
    to_guest(session, Frame(copy(names), columns))
end

levels_named(session::Session, name::Symbol)::Levels =
    session.schema[findfirst(column -> column.name === name, session.schema)].levels

function do_wrap(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    frame = frame_of(HANDLES[handle], numbers(data, nbytes))
    give(out, keep(frame), rows_of(frame))
end

"""Rows of a table; -1 for a value that has none."""
rows_of(df::Frame) = Int64(nrow(df))
function rows_of(value)::Int64
    df = as_frame(value)
    df === nothing ? -1 : nrow(df)
end

do_rows(handle::Int64, ::Bytes, ::Int64, out::Out) = give(out, rows_of(HANDLES[handle]))

do_unwrap(handle::Int64, data::Bytes, nbytes::Int64, out::Out) =
    give_table(out, table_of(HANDLES[handle], unsafe_string(data, nbytes)))

function table_of(value, hook)
    df = as_frame(value)
    df === nothing || return names(df), columns_of(df)
    throw(
        Fault(
            "InvalidOutput",
            "$hook returned $(type_name(value)): expected a table, such as " *
            "(Predictions = values,), PolyHost.Frame or a DataFrame.",
        ),
    )
end

type_name(::Nothing) = "nothing"
type_name(value) = "a $(typeof(value))"

function give_table(out::Out, table)
    names, columns = table
    sent = Outgoing[outgoing(column) for column in columns]
    block = outgoing_block(sent)
    SENT[] = (sent, block)
    rows = isempty(columns) ? 0 : length(first(columns))
    give(out, length(columns), address(block), rows)
    give_text(out, json(names), 4)
end

function do_hook(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    which_hook, value = numbers(data, nbytes)
    result = run_hook(HANDLES[handle], HOOKS[which_hook], HANDLES[value])
    give_result(out, result)
end

function do_read_hook(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    bytes = copy(at(UInt8, Int64(UInt(data)), nbytes))
    give_result(out, run_hook(HANDLES[handle], :read_input_data, bytes))
end

function give_result(out::Out, result)
    give(out, keep(result), rows_of(result))
    flush_output()
end

do_predict(handle::Int64, data::Bytes, nbytes::Int64, out::Out) =
    give_table(out, predict_frame(HANDLES[handle], HANDLES[numbers(data, nbytes)[1]]))

function do_predict_block(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    session = HANDLES[handle]
    give_table(out, predict_frame(session, frame_of(session, numbers(data, nbytes))))
end

function do_transform(handle::Int64, data::Bytes, nbytes::Int64, out::Out)
    value, target = numbers(data, nbytes)
    y = target == 0 ? nothing : HANDLES[target]
    give_table(out, table_of(run_transform(HANDLES[handle], HANDLES[value], y), "transform"))
    flush_output()
end

function do_unstructured(handle::Int64, data::Bytes, ::Int64, out::Out)
    parts = unpack(data)
    is_text, body, mimetype, charset, has_headers = parts[1:5]
    queries = parse(Int, text(parts[6]))
    query, headers = dictionary(parts[7:6+2queries]), dictionary(parts[7+2queries:end])
    given = (mimetype = text(mimetype), charset = text(charset), query = query)
    given = has_headers === nothing ? given : merge(given, (headers = headers,))
    input = is_text === nothing ? body : text(body)
    give_answer(out, run_unstructured(HANDLES[handle], input, given))
    flush_output()
end

"""Handles of the rows, the target and the weights (empty: none), the folder, how many labels there
are, those; then a name, a kind and a text for each parameter."""
function do_fit(handle::Int64, data::Bytes, ::Int64, ::Out)
    parts = map(text, unpack(data))
    rows, target, weights = map(held, parts[1:3])
    labels = parts[5] === nothing ? -1 : parse(Int, parts[5])
    order = labels < 0 ? nothing : String[label for label in parts[6:5+labels]]
    rest = parts[6+max(labels, 0):end]
    parameters = Dict{String,Any}(
        rest[i] => parameter(rest[i+1], rest[i+2]) for i = 1:3:length(rest)
    )
    run_fit(
        HANDLES[handle],
        rows,
        target,
        parts[4];
        class_order = order,
        row_weights = weights,
        parameters = parameters,
    )
    flush_output()
end

held(::Nothing) = nothing
held(number::String) = HANDLES[parse(Int64, number)]

function parameter(kind::String, value::Union{Nothing,String})
    kind == "integer" && return parse(Int64, value)
    kind == "number" && return parse(Float64, value)
    kind == "boolean" && return value == "true"
    value
end

dictionary(parts) =
    Dict{String,String}(text(parts[i]) => text(parts[i+1]) for i = 1:2:length(parts))

function give_answer(out::Out, answer::Answer)
    body = answer.body
    SENT[] = body
    body isa String && give(out, 1, Int64(UInt(pointer(body))), sizeof(body))
    body isa Vector{UInt8} && give(out, 2, address(body), sizeof(body))
    body === nothing && give(out, 0, 0, 0)
    give_text(out, json((answer.mimetype, answer.charset)), 4)
end

do_free(::Int64, data::Bytes, nbytes::Int64, ::Out) =
    foreach(handle -> delete!(HANDLES, handle), numbers(data, nbytes))

do_last_error(::Int64, ::Bytes, ::Int64, out::Out) = give_text(out, LAST_ERROR[])

do_calls_python(::Int64, ::Bytes, ::Int64, out::Out) = give(out, Int64(calls_python()))

do_warm(::Int64, ::Bytes, ::Int64, out::Out) = warm()

"""Compile the paths that every request takes, before the first one waits for them."""
function warm()
    place = zeros(Int64, 8)
    out = pointer(place)
    df = read_csv("a,b,c,d,e\n1,1.5,x,true,2020-01-02\n2,,\"y\",false,\n3,-2e-3,,,\n")
    sent = map(outgoing, columns_of(df))
    GC.@preserve sent place begin
        block = Int64[keep(names_of(df)), nrow(df), 1, ncol(df)]
        for o in sent
            push!(block, o.kind, address(o.data), address(o.aux), address(o.mask))
        end
        session = Session("", "", String[], nothing, nothing, nothing, nothing)
        give_table(out, table_of(frame_of(session, block), "warm"))
        delete!(HANDLES, block[1])
    end
end

"""Entry points in the order of `TABLE`; a host finds them by this order."""
const ENTRIES = (
    do_last_error,
    do_open,
    do_init,
    do_load_model,
    do_load_artifact,
    do_describe,
    do_read,
    do_schema,
    do_wrap,
    do_rows,
    do_unwrap,
    do_hook,
    do_read_hook,
    do_predict,
    do_predict_block,
    do_transform,
    do_unstructured,
    do_free,
    do_calls_python,
    do_warm,
    do_fit,
)

"""Addresses of the entry points. Filled as the module loads: those of a cached image are stale."""
const TABLE = Vector{Ptr{Cvoid}}(undef, length(ENTRIES))

for (i, entry) in enumerate(ENTRIES)
    @eval $(Symbol(:entry_, i))(handle::Int64, data::Bytes, nbytes::Int64, out::Out)::Cint =
        guarded($entry, handle, data, nbytes, out)
end

macro entry_table()
    fill = [
        :(TABLE[$i] = @cfunction($(Symbol(:entry_, i)), Cint, (Int64, Bytes, Int64, Out)))
        for i = 1:length(ENTRIES)
    ]
    esc(Expr(:block, fill...))
end

__init__() = @entry_table
