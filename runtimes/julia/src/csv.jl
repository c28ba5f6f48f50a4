# CSV to the column types that `CSV.read(IOBuffer(bytes), DataFrame; delim = ",")` gives, for
# models whose project has no CSV.jl. What follows here is CSV.jl's own behaviour: a column has
# the type of its first cell that is not missing, and is widened (Int64, Float64, String) by a cell
# that does not fit; empty cells are missing; empty lines are no rows; short rows end in missing;
# long rows make columns. Its releases differ on three points: this takes a quoted empty cell for
# missing (as up to 0.9), keeps long rows' cells (as from 0.9), and never makes an Int128.

"""One cell: where it lies, without its quotes. `escaped` cells hold doubled quotes."""
struct Cell
    start::Int
    stop::Int
    escaped::Bool
end

"""Every cell of a body, row after row; row `r` begins at cell `rows[r]`."""
struct Cells
    bytes::Vector{UInt8}
    all::Vector{Cell}
    rows::Vector{Int}
end

Base.length(cells::Cells) = length(cells.rows) - 1
width(cells::Cells, row) = cells.rows[row+1] - cells.rows[row]

const NO_CELL = Cell(1, 0, false)
cell_at(cells::Cells, row, column) =
    column <= width(cells, row) ? (@inbounds cells.all[cells.rows[row]+column-1]) : NO_CELL

isend(byte::UInt8) = byte == UInt8('\n') || byte == UInt8('\r')

"""
    read_csv(bytes) -> Frame
    read_csv(text) -> Frame
    read_csv(io) -> Frame

Columns named by the first line, typed as CSV.jl types them: Int64, Float64, Bool, Date,
DateTime, Time or String, with `missing` for an empty cell.
"""
function read_csv(bytes::AbstractVector{UInt8})
    cells = find_cells(bytes isa Vector{UInt8} ? bytes : Vector{UInt8}(bytes))
    length(cells) == 0 && return Frame(Symbol[], AbstractVector[])
    names = unique_names(header_names(cells))
    Frame(names, AbstractVector[read_column(cells, column) for column in eachindex(names)])
end
read_csv(text::AbstractString) = read_csv(Vector{UInt8}(codeunits(text)))
read_csv(io::IO) = read_csv(read(io))

function header_names(cells::Cells)
    widest = maximum(width(cells, row) for row = 1:length(cells))
    map(1:widest) do column
        cell = cell_at(cells, 1, column)
        cell.start > cell.stop ? Symbol(:Column, column) : Symbol(cell_text(cells.bytes, cell))
    end
end

function cell_text(bytes, cell::Cell)
    text = text_at(bytes, cell.start, cell.stop)
    cell.escaped ? replace(text, "\"\"" => "\"") : text
end

function find_cells(bytes::Vector{UInt8})
    cells = Cells(bytes, Cell[], Int[])
    i = length(bytes) >= 3 && view(bytes, 1:3) == [0xef, 0xbb, 0xbf] ? 4 : 1
    while true
        while i <= length(bytes) && isend(bytes[i])
            i += 1
        end
        push!(cells.rows, length(cells.all) + 1)
        i > length(bytes) && return cells
        i = find_row!(cells, i)
    end
end

"""Push the cells of the row that begins at `i`; the position after its line end."""
function find_row!(cells::Cells, i::Int)
    bytes = cells.bytes
    while true
        cell, i = next_cell(bytes, i, length(cells.rows))
        push!(cells.all, cell)
        # A comma as the very last byte of the body leaves an empty cell behind it.
        i > length(bytes) && return i
        isend(bytes[i]) && return i + 1
        i += 1
        if i > length(bytes)
            push!(cells.all, NO_CELL)
            return i
        end
    end
end

"""The cell at `start`, and the position of the comma, line end or end of body after it."""
function next_cell(bytes, start::Int, row::Int)
    i = start
    while i <= length(bytes) && isblank_byte(bytes[i])
        i += 1
    end
    i <= length(bytes) && bytes[i] == UInt8('"') && return quoted_cell(bytes, i + 1, row)
    i = cell_end(bytes, i)
    Cell(start, i - 1, false), i
end

function cell_end(bytes, i::Int)
    @inbounds while i <= length(bytes) && bytes[i] != UInt8(',') && !isend(bytes[i])
        i += 1
    end
    i
end

function quoted_cell(bytes, start::Int, row::Int)
    i, escaped = start, false
    @inbounds while i <= length(bytes)
        if bytes[i] == UInt8('"')
            if i < length(bytes) && bytes[i+1] == UInt8('"')
                escaped = true
                i += 1
            else
                return Cell(start, i - 1, escaped), cell_end(bytes, i + 1)
            end
        end
        i += 1
    end
    throw(
        Fault(
            "InvalidInput",
            "the CSV body is malformed: row $row opens a quote that is never closed. " *
            "Close it, or double a quote that belongs to the text.",
        ),
    )
end

function read_column(cells::Cells, column::Int)
    first_row = first_value(cells, column)
    first_row === nothing && return fill(missing, length(cells) - 1)
    T = detect(cells.bytes, cell_at(cells, first_row, column))
    while T !== String
        values = read_cells(T, cells, column)
        values === nothing || return values
        T = T === Int64 ? Float64 : String
    end
    read_text(cells, column)
end

function first_value(cells::Cells, column::Int)
    for row = 2:length(cells)
        cell = cell_at(cells, row, column)
        cell.start <= cell.stop && return row
    end
    nothing
end

const DETECTED = (Int64, Float64, Date, DateTime, Time, Bool)

function detect(bytes, cell::Cell)
    start, stop = trimmed(bytes, cell)
    for T in DETECTED
        read_value(T, bytes, start, stop) === nothing || return T
    end
    String
end

function trimmed(bytes, cell::Cell)
    start, stop = cell.start, cell.stop
    while start <= stop && isblank_byte(bytes[start])
        start += 1
    end
    while stop >= start && isblank_byte(bytes[stop])
        stop -= 1
    end
    start, stop
end

"""The column as `T`, or nothing when a cell is no `T`."""
function read_cells(::Type{T}, cells::Cells, column::Int) where {T}
    bytes, rows = cells.bytes, length(cells) - 1
    values, absent, some_absent = Vector{T}(undef, rows), fill(false, rows), false
    for row = 1:rows
        cell = cell_at(cells, row + 1, column)
        if cell.start > cell.stop
            @inbounds absent[row] = some_absent = true
        else
            start, stop = trimmed(bytes, cell)
            value = read_value(T, bytes, start, stop)
            value === nothing && return nothing
            @inbounds values[row] = value
        end
    end
    some_absent ? with_missing(values, absent) : values
end

function with_missing(values::AbstractVector{T}, absent::AbstractVector{Bool}) where {T}
    out = Vector{Union{Missing,T}}(undef, length(values))
    for i in eachindex(values, absent)
        @inbounds out[i] = absent[i] ? missing : values[i]
    end
    out
end

function read_text(cells::Cells, column::Int)
    rows = length(cells) - 1
    values, absent = fill("", rows), fill(false, rows)
    for row = 1:rows
        cell = cell_at(cells, row + 1, column)
        if cell.start <= cell.stop
            values[row] = cell_text(cells.bytes, cell)
        else
            absent[row] = true
        end
    end
    any(absent) ? with_missing(values, absent) : values
end
