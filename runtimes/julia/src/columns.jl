# Columns across the C boundary: blocks of Int64, one group a column, over memory that the other
# side owns until the call (or, for frames that are kept, the handle) ends.

const NUMBERS =
    (Float64, Float32, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Bool)
const DATE_KIND = 12      # Int64 days since 1970, typemin is missing
const DATETIME_KIND = 13  # Int64 milliseconds since 1970, typemin is missing
const TEXT_KIND = 14      # UTF-8 bytes, Int64 offsets (rows + 1), mask
const POOL_KIND = 15      # Int32 codes from 0 (negative is missing), a packed list of texts
const LEVELS_KIND = 17     # Int32 codes from 0 into the levels of the model's own schema
const UNTYPED_KIND = 18    # as POOL_KIND: texts of a file whose type the reader of CSV decides
const JSON_KIND = 16      # as text, each cell a JSON value; only ever sent out

const EPOCH_DAY = Dates.value(Date(1970))
const EPOCH_MILLISECOND = Dates.value(DateTime(1970))

"""A column as it comes in: its kind, and the addresses of its parts."""
struct Incoming
    kind::Int64
    data::Int64
    aux::Int64
    mask::Int64
end

at(::Type{T}, address::Int64, count::Integer) where {T} =
    count == 0 ? T[] : unsafe_wrap(Array, Ptr{T}(address), count)

"""The column; `own` copies what would otherwise lie in the other side's memory."""
function incoming(column::Incoming, rows::Int64, own::Bool)::AbstractVector
    kind = column.kind
    kind == TEXT_KIND && return incoming_text(column, rows)
    kind == POOL_KIND && return incoming_pool(column, rows)
    kind == DATE_KIND && return incoming_times(Date, column, rows)
    kind == DATETIME_KIND && return incoming_times(DateTime, column, rows)
    kind == 1 && return incoming_numbers(Float64, column, rows, own)
    incoming_numbers(NUMBERS[kind], column, rows, own)
end

function incoming_numbers(::Type{T}, column::Incoming, rows, own) where {T}
    values = at(T, column.data, rows)
    column.mask == 0 || return with_missing(values, at(Bool, column.mask, rows))
    T <: AbstractFloat && any(isnan, values) && return nan_to_missing(values)
    own && rows > 0 ? copy(values) : values
end

nan_to_missing(values::Vector{T}) where {T} =
    Union{Missing,T}[isnan(value) ? missing : value for value in values]

moment(::Type{Date}, count::Int64) = Date(Dates.UTD(count + EPOCH_DAY))
moment(::Type{DateTime}, count::Int64) = DateTime(Dates.UTM(count + EPOCH_MILLISECOND))

function incoming_times(::Type{T}, column::Incoming, rows) where {T}
    counts = at(Int64, column.data, rows)
    absent = counts .== typemin(Int64)
    values = T[moment(T, missed ? 0 : count) for (count, missed) in zip(counts, absent)]
    any(absent) ? with_missing(values, absent) : values
end

function incoming_text(column::Incoming, rows)
    offsets = at(Int64, column.aux, rows + 1)
    start = Ptr{UInt8}(column.data)
    values = String[unsafe_string(start + offsets[i], offsets[i+1] - offsets[i]) for i = 1:rows]
    column.mask == 0 ? values : with_missing(values, at(Bool, column.mask, rows))
end

function incoming_pool(column::Incoming, rows)
    codes = at(Int32, column.data, rows)
    pool = String[String(text) for text in unpack(Ptr{UInt8}(column.aux))]
    any(code -> code < 0, codes) || return String[pool[code+1] for code in codes]
    Union{Missing,String}[code < 0 ? missing : pool[code+1] for code in codes]
end

"""Texts of a CSV file as its reader types a column of them."""
function incoming_untyped(session::Session, column::Incoming, rows)
    codes = at(Int32, column.data, rows)
    pool = String[String(text) for text in unpack(Ptr{UInt8}(column.aux))]
    buffer = IOBuffer()
    print(buffer, "x,y\n")  # the second column keeps rows whose cell is empty
    for code in codes
        code < 0 || write_cell(buffer, pool[code+1])
        print(buffer, ",0\n")
    end
    first(columns_of(as_frame(read_frame(session, take!(buffer)))))
end

function write_cell(io::IO, text::String)
    plain = !any(character -> character in ",\"\r\n", text) && strip(text) == text
    plain ? print(io, text) : print(io, '"', replace(text, "\"" => "\"\""), '"')
end

incoming_levels(column::Incoming, rows, levels::Levels) =
    leveled(copy(at(Int32, column.data, rows)), levels)

"""A column as it goes out: its kind, and arrays that must live until it has been read."""
struct Outgoing
    kind::Int64
    data::Vector
    aux::Vector{Int64}
    mask::Vector{Bool}
end

Outgoing(kind, data) = Outgoing(kind, data, Int64[], Bool[])

isabsent(value) = value === missing || value === nothing

function outgoing(column::AbstractVector)
    T = eltype(column)
    if !isconcretetype(T) && !(T isa Union)
        column = map(identity, column)
        T = eltype(column)
    end
    outgoing(T isa Union ? present(T) : T, column)
end

"""The element type without missing and nothing."""
present(union::Union) =
    Union{(T for T in Base.uniontypes(union) if !(T in (Missing, Nothing)))...}

outgoing(::Type{<:Union{Missing,Nothing}}, column) = outgoing(Union{}, column)

outgoing(::Type{Union{}}, column) = Outgoing(1, fill(NaN, length(column)))

function outgoing(::Type{T}, column) where {T<:Union{NUMBERS...}}
    eltype(column) === T && return Outgoing(number_kind(T), convert(Vector{T}, column))
    T === Bool || return outgoing(Real, column)
    Outgoing(
        number_kind(Bool),
        Bool[!isabsent(value) && value for value in column],
        Int64[],
        Bool[isabsent(value) for value in column],
    )
end

number_kind(::Type{T}) where {T} = findfirst(isequal(T), NUMBERS)

outgoing(::Type{<:Real}, column) =
    Outgoing(1, Float64[isabsent(value) ? NaN : Float64(value) for value in column])

outgoing(::Type{Date}, column) = outgoing_times(DATE_KIND, EPOCH_DAY, column)
outgoing(::Type{DateTime}, column) = outgoing_times(DATETIME_KIND, EPOCH_MILLISECOND, column)
outgoing_times(kind, epoch, column) = Outgoing(
    kind,
    Int64[isabsent(value) ? typemin(Int64) : Dates.value(value) - epoch for value in column],
)

outgoing(::Type{<:Union{AbstractVector,AbstractDict,NamedTuple,Tuple}}, column) =
    outgoing_text(JSON_KIND, json, column)

function outgoing(::Type{T}, column) where {T}
    mixed = T === Any || T isa Union && !(T <: Union{AbstractString,Symbol,AbstractChar})
    mixed ? outgoing_text(JSON_KIND, json, column) : outgoing_text(TEXT_KIND, string, column)
end

function outgoing_text(kind, text_of, column)
    buffer = IOBuffer()
    offsets = Vector{Int64}(undef, length(column) + 1)
    offsets[1] = 0
    absent = fill(false, length(column))
    for (i, value) in enumerate(column)
        absent[i] = isabsent(value)
        absent[i] || print(buffer, text_of(value))
        offsets[i+1] = buffer.size
    end
    Outgoing(kind, take!(buffer), offsets, any(absent) ? absent : Bool[])
end

"""The columns as a block: kind, address, bytes, offsets' address and mask's address of each."""
function outgoing_block(columns::Vector{Outgoing})
    block = Int64[]
    for column in columns
        push!(block, column.kind, address(column.data), sizeof(column.data))
        push!(block, address(column.aux), address(column.mask))
    end
    block
end

address(array::Vector) = isempty(array) ? 0 : Int64(UInt(pointer(array)))
