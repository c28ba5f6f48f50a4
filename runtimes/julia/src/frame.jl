"""
    Frame(names, columns)
    Frame(; name = column, ...)

Named columns of equal length: what a hook gets as `data` when the model's project has no
DataFrames. It answers to the part of the DataFrames interface that hooks use: `df.a`,
`df[!, :a]`, `df[:, [:a, :b]]`, `df[1:5, :]`, `df.c = v`, `names`, `nrow`, `ncol`, `size`,
`eachrow`, `eachcol`, `select`, `select!`, `copy`, `first` and `Matrix`.
"""
struct Frame
    names::Vector{Symbol}
    columns::Vector{AbstractVector}

    function Frame(names::Vector{Symbol}, columns::Vector{AbstractVector})
        length(names) == length(columns) || throw(
            ArgumentError("$(length(names)) names for $(length(columns)) columns"),
        )
        allunique(names) || throw(ArgumentError("column names repeat: $(join(names, ", "))"))
        for (name, column) in zip(names, columns)
            length(column) == length(first(columns)) || throw(
                DimensionMismatch(
                    "column $name has $(length(column)) rows, expected $(length(first(columns)))",
                ),
            )
        end
        new(names, columns)
    end
end

Frame(names, columns) =
    Frame(collect(Symbol, map(Symbol, names)), collect(AbstractVector, columns))
Frame(; columns...) = Frame(collect(Symbol, keys(columns)), collect(AbstractVector, values(columns)))
Frame(table::NamedTuple) = Frame(keys(table), values(table))

const ColumnKey = Union{Symbol,AbstractString,Integer}
const ColumnKeys = Union{AbstractVector{<:ColumnKey},Colon}

names_of(df::Frame) = getfield(df, :names)
columns_of(df::Frame) = getfield(df, :columns)

"""Number of rows."""
nrow(df::Frame) = isempty(columns_of(df)) ? 0 : length(first(columns_of(df)))

"""Number of columns."""
ncol(df::Frame) = length(columns_of(df))

Base.names(df::Frame) = map(String, names_of(df))
Base.propertynames(df::Frame, private::Bool = false) = copy(names_of(df))
Base.size(df::Frame) = (nrow(df), ncol(df))
Base.size(df::Frame, axis::Integer) = size(df)[axis]
Base.isempty(df::Frame) = nrow(df) == 0
Base.copy(df::Frame) = Frame(copy(names_of(df)), AbstractVector[copy(c) for c in columns_of(df)])
Base.:(==)(a::Frame, b::Frame) = names_of(a) == names_of(b) && columns_of(a) == columns_of(b)
Base.isequal(a::Frame, b::Frame) =
    names_of(a) == names_of(b) && isequal(columns_of(a), columns_of(b))
Base.hash(df::Frame, h::UInt) = hash(names_of(df), hash(columns_of(df), h))

column_index(df::Frame, key::Integer) =
    1 <= key <= ncol(df) ? Int(key) : throw(BoundsError(names_of(df), key))
function column_index(df::Frame, key::Union{Symbol,AbstractString})
    found = findfirst(isequal(Symbol(key)), names_of(df))
    found === nothing || return found
    throw(ArgumentError("no column $(repr(String(key))): found $(join(names_of(df), ", "))"))
end

positions(df::Frame, ::Colon) = collect(1:ncol(df))
positions(df::Frame, keys::AbstractVector{<:ColumnKey}) = Int[column_index(df, key) for key in keys]
positions(df::Frame, keys::AbstractVector{Bool}) = findall(keys)

Base.getproperty(df::Frame, name::Symbol) = columns_of(df)[column_index(df, name)]
Base.setproperty!(df::Frame, name::Symbol, column) = (df[!, name] = column)
Base.hasproperty(df::Frame, name::Symbol) = name in names_of(df)

Base.getindex(df::Frame, ::typeof(!), key::ColumnKey) = columns_of(df)[column_index(df, key)]
Base.getindex(df::Frame, ::Colon, key::ColumnKey) = copy(df[!, key])
Base.getindex(df::Frame, row::Integer, key::ColumnKey) = df[!, key][row]
Base.getindex(df::Frame, rows::AbstractVector, key::ColumnKey) = df[!, key][rows]
Base.getindex(df::Frame, ::typeof(!), keys::ColumnKeys) = subset(df, keys, identity)
Base.getindex(df::Frame, ::Colon, keys::ColumnKeys) = subset(df, keys, copy)
Base.getindex(df::Frame, rows::AbstractVector, keys::ColumnKeys) =
    subset(df, keys, column -> column[rows])
Base.getindex(df::Frame, row::Integer, keys::ColumnKeys) = row_of(df[:, keys], row)

function subset(df::Frame, keys, take)
    chosen = positions(df, keys)
    Frame(names_of(df)[chosen], AbstractVector[take(columns_of(df)[i]) for i in chosen])
end

row_of(df::Frame, row::Integer) =
    NamedTuple{Tuple(names_of(df))}(Tuple(column[row] for column in columns_of(df)))

function Base.setindex!(df::Frame, column, ::typeof(!), key::Union{Symbol,AbstractString})
    name = Symbol(key)
    values = column isa AbstractVector ? column : fill(column, nrow(df))
    ncol(df) == 0 || length(values) == nrow(df) || throw(
        DimensionMismatch("column $name has $(length(values)) rows, expected $(nrow(df))"),
    )
    found = findfirst(isequal(name), names_of(df))
    if found === nothing
        push!(names_of(df), name)
        push!(columns_of(df), values)
    else
        columns_of(df)[found] = values
    end
    column
end
Base.setindex!(df::Frame, column::AbstractVector, ::Colon, key::Union{Symbol,AbstractString}) =
    hasproperty(df, Symbol(key)) ? (df[!, key] .= column) : (df[!, key] = copy(column))
Base.setindex!(df::Frame, value, row::Integer, key::ColumnKey) = (df[!, key][row] = value)

"""The columns named, in that order, as a new frame."""
select(df::Frame, keys::ColumnKey...) = df[:, collect(ColumnKey, keys)]
select(df::Frame, keys::AbstractVector) = df[:, keys]

"""Keep the columns named, in that order."""
function select!(df::Frame, keys::AbstractVector)
    chosen = df[!, keys]
    resize!(names_of(df), ncol(chosen)) .= names_of(chosen)
    resize!(columns_of(df), ncol(chosen)) .= columns_of(chosen)
    df
end
select!(df::Frame, keys::ColumnKey...) = select!(df, collect(ColumnKey, keys))

Base.eachcol(df::Frame) = columns_of(df)
Base.eachrow(df::Frame) = (row_of(df, row) for row = 1:nrow(df))
Base.first(df::Frame, rows::Integer) = df[1:min(rows, nrow(df)), :]
Base.Matrix(df::Frame) = reduce(hcat, columns_of(df))
Base.Matrix{T}(df::Frame) where {T} = convert(Matrix{T}, Matrix(df))

function Base.show(io::IO, df::Frame)
    print(io, "$(nrow(df)) rows x $(ncol(df)) columns: ", join(names_of(df), ", "))
    for row in Iterators.take(eachrow(df), 10)
        print(io, "\n  ", join(map(repr, values(row)), ", "))
    end
    nrow(df) > 10 && print(io, "\n  ...")
end

"""Names made distinct: the second `a` is `a_1`, as CSV.jl and DataFrames name it."""
function unique_names(names::Vector{Symbol})
    allunique(names) && return names
    taken, next, out = Set(names), Dict{Symbol,Int}(), Symbol[]
    for name in names
        fresh = name
        if haskey(next, name)
            k = next[name]
            fresh = Symbol(name, '_', k)
            while fresh in taken || haskey(next, fresh)
                k += 1
                fresh = Symbol(name, '_', k)
            end
            next[name] = k + 1
        end
        push!(out, fresh)
        next[fresh] = 1
    end
    out
end
