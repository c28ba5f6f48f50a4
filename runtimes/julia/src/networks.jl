# What the encoders of an MLJ pipeline learned of the columns that they read. A pipeline is a network
# of machines in its own machine's fit result; those whose argument is the source read the request.

"""Objects looked at in a fit result, nearest first: the network is near, a model's trees are not."""
const MOST_OBJECTS = 20_000

"""
    encoder_schema(mach)

The columns that the one-hot or continuous encoders at the source of a pipeline were fitted on: the
levels of those that they encode, and the names of the others. Empty without such an encoder.
"""
function encoder_schema(mach)::Vector{ColumnSchema}
    hasproperty(mach, :fitresult) && isdefined(mach, :fitresult) || return NO_COLUMNS
    for result in objects_in(mach.fitresult)
        encoded = reads_source(result) ? encoded_by(getfield(result, :fitresult)) : nothing
        encoded === nothing || return ColumnSchema[
            encoded_column(encoded, name) for name in encoded.all_features
        ]
    end
    NO_COLUMNS
end

reads_source(value) =
    has_fields(value, :args, :fitresult) && is_source(getfield(value, :args))

is_source(args::Tuple) = !isempty(args) && nameof(typeof(first(args))) === :Source
is_source(args) = false

"""What a one-hot encoder learned, alone or within a continuous encoder; nothing of other models."""
function encoded_by(fitresult)
    has_fields(fitresult, :all_features, :fitted_levels_given_feature) && return fitresult
    has_fields(fitresult, :one_hot_encoder_fitresult) || return nothing
    encoded_by(getfield(fitresult, :one_hot_encoder_fitresult))
end

function encoded_column(encoded, name::Symbol)
    levels = get(encoded.fitted_levels_given_feature, name, nothing)
    levels === nothing ? ColumnSchema(name, "any") : column_schema(name, levels_of(levels))
end

has_fields(value, names::Symbol...) =
    all(name -> hasfield(typeof(value), name) && isdefined(value, name), names)

"""The objects that a value holds, itself first, breadth first; each once."""
function objects_in(root)
    found, seen = Any[root], Base.IdSet{Any}()
    next = 1
    while next <= length(found) && length(found) < MOST_OBJECTS
        value = found[next]
        next += 1
        value in seen && continue
        push!(seen, value)
        append!(found, parts_of(value))
    end
    found
end

parts_of(::Union{Number,AbstractString,Symbol,Type,Function,Module,Nothing,Missing,Task,Channel}) =
    ()
parts_of(values::AbstractDict) = collect(Any, Base.values(values))
parts_of(values::Union{Tuple,NamedTuple}) = collect(Any, Base.values(values))
parts_of(values::AbstractArray) =
    isbitstype(eltype(values)) || eltype(values) <: AbstractString ? () :
    Any[values[i] for i in eachindex(values) if isassigned(values, i)]
parts_of(value) =
    Any[getfield(value, i) for i = 1:nfields(value) if isdefined(value, i)]
