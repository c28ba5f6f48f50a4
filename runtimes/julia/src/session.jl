const HOOKS = (
    :init,
    :load_model,
    :read_input_data,
    :transform,
    :score,
    :post_process,
    :score_unstructured,
)

"""Hooks that a host asks for beside those that a request passes."""
const JOB_HOOKS = (:fit,)

"""
    Session(code_dir; custom_file = nothing, target_type = "", labels = String[])

One loaded model: its hooks, and what they and the artifact made. `labels` are in request order:
for binary the positive one first. The custom file is loaded here; no hook has run.
"""
mutable struct Session
    code_dir::String
    target_type::String
    labels::Vector{String}
    hooks::Union{Nothing,Module}
    dataframes::Union{Nothing,Module}
    csv::Union{Nothing,Module}
    model::Any
    schema::Vector
end

Session(code_dir, target_type, labels, hooks, dataframes, csv, model) =
    Session(code_dir, target_type, labels, hooks, dataframes, csv, model, [])

function Session(code_dir; custom_file = nothing, target_type = "", labels = String[])
    hooks = custom_file === nothing ? nothing : load_custom(custom_file)
    dataframes = optional(DATAFRAMES)
    csv = dataframes === nothing ? nothing : optional(CSV_PACKAGE)
    extend_tables()
    Session(code_dir, target_type, labels, hooks, dataframes, csv, nothing)
end

"""The module of a `custom.jl`: its own `module Custom`, or one of that name made around it."""
function load_custom(file::AbstractString)
    if :Custom in modules_of(file)
        Base.include(Main, file)
        return Base.invokelatest(getfield, Main, :Custom)
    end
    custom = Core.eval(Main, :(module Custom end))
    Base.include(custom, file)
    within = Base.invokelatest(modules_with_hooks, custom, modules_of(file))
    length(within) == 1 ? only(within) : custom
end

"""Names of the modules that a file defines at its top level, docstrings before them or not."""
function modules_of(file::AbstractString)
    names = Symbol[]
    found = Base.parse_input_line(read(file, String); filename = basename(file))
    find_modules!(names, found)
    names
end

find_modules!(names, other) = nothing
function find_modules!(names, expression::Expr)
    expression.head === :module && return push!(names, expression.args[2])
    expression.head in (:toplevel, :macrocall, :block) || return nothing
    foreach(part -> find_modules!(names, part), expression.args)
end

"""Those of the modules that hold hooks, where the file holds none outside of them."""
function modules_with_hooks(custom::Module, names)
    any(name -> isdefined(custom, name), HOOKS) && return Module[]
    inner = Module[getfield(custom, name) for name in names]
    filter(inside -> any(name -> isdefined(inside, name), HOOKS), inner)
end

"""The hook of that name, or nothing. Exported or not; a name that a package brought is no hook."""
function hook(session::Session, name::Symbol)
    hooks = session.hooks
    hooks !== nothing && isdefined(hooks, name) || return nothing
    found = getfield(hooks, name)
    any(method -> within(method.module, hooks), methods(found)) ? found : nothing
end

within(inner::Module, outer::Module) =
    inner === outer || (parentmodule(inner) !== inner && within(parentmodule(inner), outer))

hook_names(session::Session) =
    Symbol[
        name for name in (HOOKS..., JOB_HOOKS...) if
        Base.invokelatest(hook, session, name) !== nothing
    ]

function needed_hook(session::Session, name::Symbol)
    found = hook(session, name)
    found === nothing || return found
    throw(Fault("MissingHook", "custom.jl defines no $name hook, which this call needs."))
end

"""Run `init`, as `init(code_dir)`, by keywords as `init(; code_dir, kwargs...)`, or as `init()`."""
function run_init(session::Session)
    f = needed_hook(session, :init)
    by_name = !applicable(f, session.code_dir) && applicable(f)
    by_name && return call(f, (), (code_dir = session.code_dir,))
    call(f, (session.code_dir,), NamedTuple())
end

"""Run `load_model` and keep its model; false when it returned nothing."""
function run_load_model(session::Session)
    session.model = needed_hook(session, :load_model)(session.code_dir)
    extend_tables()
    session.model !== nothing
end

"""
    call(f, args, given)

Call a hook with the keywords it may take, in the form that it takes: one keyword named `kwargs` which
holds all of it, `kwargs...`, some of the names, or none.
"""
function call(f, args::Tuple, given::NamedTuple)
    taken = keywords(f, args)
    :kwargs in taken && return f(args...; kwargs = given, chosen(given, taken)...)
    any(name -> endswith(String(name), "..."), taken) && return f(args...; given...)
    f(args...; chosen(given, taken)...)
end

chosen(given::NamedTuple, taken) = (name => given[name] for name in keys(given) if name in taken)

"""Names of the keywords of the method that takes `args`; none when no method does."""
function keywords(f, args::Tuple)
    applicable(f, args...) || return Symbol[]
    Symbol[name for name in Base.kwarg_decl(which(f, Tuple{map(Core.Typeof, args)...}))]
end

"""What `score` gets beside data and model; `nothing` where the target type has no such label."""
function label_arguments(session::Session)
    binary = session.target_type == "binary"
    many = session.target_type in ("multiclass", "multilabel")
    (
        positive_class_label = binary ? session.labels[1] : nothing,
        negative_class_label = binary ? session.labels[2] : nothing,
        class_labels = many ? session.labels : nothing,
    )
end

"""Run one of the hooks that take data: `read_input_data` on bytes, the others on any value."""
function run_hook(session::Session, name::Symbol, data)
    f = needed_hook(session, name)
    name === :read_input_data && return read_by(f, data)
    name === :score && return call(f, (data, session.model), label_arguments(session))
    f(data, session.model)
end

function read_by(f, bytes)
    data = f(bytes)
    data === nothing || return data
    throw(
        Fault(
            "InvalidOutput",
            "read_input_data returned nothing: expected the data that the next hook, or the " *
            "model, takes.",
        ),
    )
end

"""Target type `transform`: the hook, with the target column where it takes one."""
function run_transform(session::Session, data, target)
    f = needed_hook(session, :transform)
    result =
        applicable(f, data, session.model, target) ? f(data, session.model, target) :
        f(data, session.model)
    result isa Tuple || return result
    throw(
        Fault(
            "InvalidOutput",
            "transform returned a tuple of $(length(result)): expected one table. " *
            "The target column cannot be transformed; return the data alone.",
        ),
    )
end

"""
    run_fit(session, rows, target, output_dir; class_order, row_weights, parameters)

Train: `fit(X, y, output_dir; class_order, row_weights, parameters)`, those of the keywords that the hook
takes. `target` and `row_weights` are tables of one column, which the hook gets as vectors, or nothing.
"""
function run_fit(session::Session, rows, target, output_dir; class_order, row_weights, parameters)
    f = needed_hook(session, :fit)
    given = (
        class_order = class_order,
        row_weights = only_column(row_weights),
        parameters = parameters,
    )
    call(f, (rows, only_column(target), output_dir), given)
    nothing
end

only_column(::Nothing) = nothing
only_column(table) = first(columns_of(as_frame(table)))

"""A CSV body as the frame that this model's hooks see."""
function read_frame(session::Session, bytes::Vector{UInt8})
    session.csv === nothing && return to_guest(session, read_csv(bytes))
    # The bytes are the caller's, and CSV.jl may keep what it was given.
    session.csv.read(IOBuffer(copy(bytes)), session.dataframes.DataFrame; delim = ",")
end

"""A frame as this model's hooks see it: a DataFrame where the project has DataFrames."""
to_guest(session::Session, df::Frame) =
    session.dataframes === nothing ? df :
    session.dataframes.DataFrame(columns_of(df), names_of(df); copycols = false)
