# What a model's columns are: from its own `schema`, or from the training data that a machine kept.

"""
    schema(model)

What the columns are that `predict` needs: a named tuple, a dictionary or pairs of names and kinds.
Optional; with it every format of a request gives the same columns, and a cell that its column
cannot hold is refused. A kind is

- a type: `Float64`, `Int`, `Bool`, `String`, `Date`, `DateTime`, with or without `Missing`;
- a scientific type, or its name: `:Continuous`, `:Count`, `:Textual`, `:ScientificDate`,
  `:ScientificDateTime`;
- for a category its levels: a vector, a categorical vector, or `PolyHost.Levels(values; ordered)`.

A category's column is a categorical vector where the project has CategoricalArrays, and a vector of
the levels otherwise. A method for an MLJ machine says what the machine's features are.
"""
function schema end

"""
    Levels(values; ordered = false)

The levels of a category, in order.
"""
struct Levels
    values::Vector{Any}
    ordered::Bool
end

Levels(values; ordered::Bool = false) = Levels(collect(Any, values), ordered)

"""A column that a model expects; `levels` is nothing where it is no category."""
struct ColumnSchema
    name::Symbol
    kind::String
    levels::Union{Nothing,Levels}
end

ColumnSchema(name::Symbol, kind::String) = ColumnSchema(name, kind, nothing)

"""The column that `kind` describes; a Fault where it is no kind."""
column_schema(name::Symbol, levels::Levels) = ColumnSchema(name, "category", levels)
column_schema(name::Symbol, values::AbstractVector) = column_schema(name, levels_of(values))
column_schema(name::Symbol, values::Tuple) = column_schema(name, Levels(values))
column_schema(name::Symbol, kind::AbstractString) = column_schema(name, Symbol(kind))
column_schema(name::Symbol, kind::Type) = ColumnSchema(name, kind_of(name, kind))

function column_schema(name::Symbol, kind::Symbol)
    haskey(SCIENTIFIC, kind) || throw(unknown_kind(name, kind))
    ColumnSchema(name, SCIENTIFIC[kind])
end

column_schema(name::Symbol, kind) = throw(unknown_kind(name, kind))

const SCIENTIFIC = Dict(
    :Continuous => "number",
    :Count => "integer",
    :Textual => "text",
    :ScientificDate => "date",
    :ScientificDateTime => "time",
    :Unknown => "any",
)

function kind_of(name::Symbol, kind::Type)::String
    kind === Missing && return "any"
    kind = kind isa Union && Missing <: kind ? present(kind) : kind
    kind <: Bool && return "boolean"
    kind <: Integer && return "integer"
    kind <: Real && return "number"
    kind <: AbstractString && return "text"
    kind <: Date && return "date"
    kind <: DateTime && return "time"
    kind === Any && return "any"
    get(SCIENTIFIC, nameof(Base.unwrap_unionall(kind)), nothing) |>
    found -> found === nothing ? throw(unknown_kind(name, kind)) : found
end

unknown_kind(name, kind) = Fault(
    "LoadError",
    "schema names $(repr(kind)) as the kind of column $name: expected a type such as Float64 or " *
    "String, a scientific type such as :Continuous, or the levels of a category.",
)

"""The levels of values: those of a categorical vector, or the values themselves."""
function levels_of(values::AbstractVector)
    arrays = loaded(CATEGORICAL)
    arrays !== nothing && is_categorical(arrays, values) || return Levels(values)
    Levels(arrays.levels(values); ordered = arrays.isordered(values))
end

is_categorical(arrays::Module, values) =
    isdefined(arrays, :CategoricalArray) && values isa arrays.CategoricalArray

const NO_COLUMNS = ColumnSchema[]

"""The columns that a model expects, as far as it says; empty when it says nothing."""
function read_schema(session::Session)::Vector{ColumnSchema}
    f = schema_verb(session)
    f === nothing || return ColumnSchema[
        column_schema(Symbol(name), kind) for (name, kind) in as_pairs(f(session.model))
    ]
    is_machine(session.model) && return machine_schema(session.model)
    ColumnSchema[ColumnSchema(Symbol(name), "any") for name in declared_by(session, :features, ())]
end

as_pairs(columns::Union{NamedTuple,AbstractDict}) = pairs(columns)
as_pairs(columns) = columns

"""`schema` in `custom.jl` may have a method for a machine, whose other functions are MLJBase's."""
function schema_verb(session::Session)
    is_machine(session.model) || return verb(session, :schema)
    for home in (session.hooks, @__MODULE__)
        home isa Module && isdefined(home, :schema) || continue
        f = getfield(home, :schema)
        applicable(f, session.model) && return f
    end
    nothing
end

"""What the training data of a machine says, else the encoders at the start of its pipeline."""
function machine_schema(mach)::Vector{ColumnSchema}
    data = training_data(mach, 1)
    frame = data === nothing ? nothing : as_frame(data)
    frame === nothing && return encoder_schema(mach)
    ColumnSchema[
        data_schema(name, column) for (name, column) in zip(names_of(frame), columns_of(frame))
    ]
end

function data_schema(name::Symbol, column::AbstractVector)
    arrays = loaded(CATEGORICAL)
    arrays !== nothing && is_categorical(arrays, column) && return column_schema(name, column)
    kind = eltype(column)
    try
        ColumnSchema(name, kind_of(name, kind))
    catch failure
        failure isa Fault || rethrow()
        ColumnSchema(name, "any")
    end
end

"""The `n`th training argument that a machine still holds: nothing where it was saved without."""
function training_data(mach, n::Int)
    hasproperty(mach, :args) && isdefined(mach, :args) || return nothing
    mach.args isa Tuple && length(mach.args) >= n || return nothing
    source = mach.args[n]
    hasproperty(source, :data) ? source.data : source
end

"""A level as the text that stands for it in a request."""
level_text(level::Real) = level isa Bool ? string(level) :
    isinteger(level) && abs(level) < 2^53 ? string(Int64(level)) : string(level)
level_text(level) = string(level)

described(column::ColumnSchema) = (
    name = String(column.name),
    kind = column.kind,
    levels = column.levels === nothing ? String[] : map(level_text, column.levels.values),
    ordered = column.levels !== nothing && column.levels.ordered,
)

"""A column of a category: codes from 0 to values, negative ones missing."""
function leveled(codes::Vector{Int32}, levels::Levels)
    T = isempty(levels.values) ? Any : mapreduce(typeof, promote_type, levels.values)
    kept = convert(Vector{T}, levels.values)
    absent = any(code -> code < 0, codes)
    E = absent ? Union{Missing,T} : T
    values = E[code < 0 ? missing : kept[code+1] for code in codes]
    arrays = optional(CATEGORICAL)
    arrays === nothing ? values :
    Base.invokelatest(as_categorical, arrays, values, kept, levels.ordered)
end

function as_categorical(arrays::Module, values, levels, ordered::Bool)
    column = arrays.categorical(values; ordered = ordered)
    arrays.levels!(column, levels)
    column
end
