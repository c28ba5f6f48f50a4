"""
    predict(model, data)

Predictions of `model` for the rows of `data`. A model type becomes servable without a `score`
hook by a method of this function, or by a function of this name in the module that defines the
type, or in `custom.jl`.

For regression the answer is a vector of numbers or a table of one column. For classification it
is a table with one column a class, a matrix (its columns are [`classes`](@ref)), a vector of the
positive class's probabilities, or a vector of labels. The columns of a matrix without `classes`
are in the order of the request's labels, the negative class first of two.
"""
function predict end

"""
    classes(model)

The labels of the columns of a matrix that `predict` returns, in order. Optional.
"""
function classes end

"""
    features(model)

Names of the columns that `predict` needs. Optional: with it a request that lacks one is refused
before the model sees it.
"""
function features end

"""
    row_wise(model) -> Bool

Whether `predict` treats each row on its own, so that rows of several requests may be put in one
call. Optional; false where a model does not say.
"""
function row_wise end

"""
    target_type(model)

`"regression"`, `"binary"`, `"multiclass"` or another target type that `predict` answers. Optional:
without it a model with [`classes`](@ref) is a classifier.
"""
function target_type end

"""The function of that name for this model: `PolyHost`'s, its type's module's, or `custom.jl`'s."""
function verb(session::Session, name::Symbol, args...)
    is_machine(session.model) && return nothing  # MLJBase's functions of these names differ
    for home in (@__MODULE__, parentmodule(typeof(session.model)), session.hooks)
        home isa Module && isdefined(home, name) || continue
        f = getfield(home, name)
        applicable(f, session.model, args...) && return f
    end
    nothing
end

declared_by(session::Session, name::Symbol, fallback) =
    (f = verb(session, name); f === nothing ? fallback : f(session.model))

"""Whether anything can predict for this model; by `to_guest`'s frames, which are all it is given."""
predicts(session::Session) =
    is_machine(session.model) || verb(session, :predict, to_guest(session, Frame())) !== nothing

"""What the model says of itself, for [`json`](@ref)."""
function describe(session::Session)
    machine = is_machine(session.model)
    session.schema = read_schema(session)
    (
        framework = machine ? "MLJ $(nameof(typeof(session.model.model)))" :
                    session.model === nothing ? nothing : String(nameof(typeof(session.model))),
        labels = machine ? machine_labels(session.model) :
                 map(level_text, collect(declared_by(session, :classes, ()))),
        columns = map(described, session.schema),
        target_type = declared_target(session),
        row_wise = machine || declared_by(session, :row_wise, false)::Bool,
        predicts = predicts(session),
    )
end

function declared_target(session::Session)
    is_machine(session.model) && return machine_target(session.model)
    given = declared_by(session, :target_type, nothing)
    given === nothing ? nothing : String(given)
end

"""Labels of a machine: the levels of the target that it was saved with."""
function machine_labels(mach)
    target = training_data(mach, 2)
    arrays = loaded(CATEGORICAL)
    arrays !== nothing && target !== nothing && is_categorical(arrays, target) || return String[]
    map(level_text, collect(Any, arrays.levels(target)))
end

"""A machine's target type, by the scientific type that its model takes for a target."""
function machine_target(mach)
    labels = machine_labels(mach)
    isempty(labels) || return length(labels) == 2 ? "binary" : "multiclass"
    mlj = loaded(MLJBASE)
    isdefined(mlj, :target_scitype) || return nothing
    wanted = try
        string(mlj.target_scitype(mach.model))
    catch
        return nothing  # a model that does not declare it
    end
    occursin(r"Continuous|Count", wanted) && !occursin(r"Finite|Multiclass|OrderedFactor", wanted) ?
    "regression" : nothing
end

"""The built-in predict: names and columns; a name is empty where the model does not name it."""
function predict_frame(session::Session, data)
    check_features(session, data)
    is_machine(session.model) && return machine_frame(session, data)
    f = verb(session, :predict, data)
    f === nothing && throw(
        Fault(
            "MissingHook",
            "nothing predicts for a model of type $(typeof(session.model)): define a score hook " *
            "in custom.jl, or predict(model, data) beside the type. An MLJ model needs MLJBase " *
            "in the project that JULIA_PROJECT names.",
        ),
    )
    to_columns(session, f(session.model, data))
end

function check_features(session::Session, data)
    expected = map(Symbol, collect(declared_by(session, :features, ())))
    isempty(expected) && return
    found = propertynames(data)
    absent = filter(name -> !(name in found), expected)
    isempty(absent) && return
    throw(
        Fault(
            "SchemaMismatch",
            "the model needs columns that the data lacks: $(join(absent, ", ")). " *
            "Found: $(join(found, ", ")).",
        ),
    )
end

const Columns = Tuple{Vector{String},Vector{AbstractVector}}

is_classification(session::Session) = session.target_type in ("binary", "multiclass", "multilabel")

to_columns(session::Session, y::AbstractVector)::Columns =
    is_classification(session) && !(eltype(y) <: Union{Missing,Real}) ? one_hot(session, y) :
    ([is_classification(session) ? "" : PREDICTIONS], AbstractVector[y])

"""Name of the one column of a model that is no classifier."""
const PREDICTIONS = "Predictions"

function to_columns(session::Session, y::AbstractMatrix)::Columns
    labels = is_classification(session) ? collect(declared_by(session, :classes, ())) : []
    length(labels) == size(y, 2) || (labels = positional_names(session, size(y, 2)))
    map(string, labels), AbstractVector[y[:, column] for column = 1:size(y, 2)]
end

"""Names of unnamed columns: labels in request order; of two classes the negative comes first."""
function positional_names(session::Session, count::Int)
    is_classification(session) || return count == 1 ? [PREDICTIONS] : fill("", count)
    count == length(session.labels) || return fill("", count)
    session.target_type == "binary" ? reverse(session.labels) : session.labels
end

function to_columns(::Session, y)::Columns
    df = as_frame(y)
    df === nothing || return names(df), columns_of(df)
    throw(
        Fault(
            "InvalidOutput",
            "predict returned a $(typeof(y)): expected a vector, a matrix or a table.",
        ),
    )
end

one_hot(session::Session, y)::Columns = (
    copy(session.labels),
    AbstractVector[Float64[string(value) == label for value in y] for label in session.labels],
)

"""Predictions of an MLJ machine: class probabilities by label, or one column of numbers."""
function machine_frame(session::Session, data)::Columns
    mlj = loaded(MLJBASE)
    mach = session.model
    rows = data isa Frame ? NamedTuple{Tuple(names_of(data))}(Tuple(columns_of(data))) : data
    y = mlj.predict(mach, rows)
    if !is_classification(session)
        eltype(y) <: Union{Missing,Real} || (y = mlj.predict_mean(mach, rows))
        return [PREDICTIONS], AbstractVector[y]
    end
    mach.model isa mlj.Probabilistic || return one_hot(session, y)
    levels = collect(mlj.classes(y))
    map(string, levels), AbstractVector[mlj.pdf.(y, level) for level in levels]
end
