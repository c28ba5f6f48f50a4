# Cells to values: `read_value(T, bytes, start, stop)` is the value, or nothing when the bytes
# start:stop are no T. What counts as a T is what CSV.jl takes for one.

isdigit_byte(byte::UInt8) = 0x30 <= byte <= 0x39
isblank_byte(byte::UInt8) = byte == UInt8(' ') || byte == UInt8('\t')

text_at(bytes, start, stop) = GC.@preserve bytes unsafe_string(pointer(bytes, start), stop - start + 1)

read_value(::Type{String}, bytes, start, stop) = text_at(bytes, start, stop)

function read_value(::Type{T}, bytes, start, stop) where {T<:Signed}
    start <= stop || return nothing
    negative = bytes[start] == UInt8('-')
    i = start + (negative || bytes[start] == UInt8('+'))
    i <= stop || return nothing
    value = zero(T)
    for k = i:stop
        isdigit_byte(bytes[k]) || return nothing
        value, over = Base.Checked.mul_with_overflow(value, T(10))
        over && return nothing
        digit = T(bytes[k] - 0x30)
        value, over = negative ? Base.Checked.sub_with_overflow(value, digit) :
            Base.Checked.add_with_overflow(value, digit)
        over && return nothing
    end
    value
end

const TEN_POWERS = Float64[10.0^k for k = 0:22]
const EXACT_MANTISSA = UInt64(2)^53

function read_value(::Type{Float64}, bytes, start, stop)
    start <= stop || return nothing
    negative = bytes[start] == UInt8('-')
    i = start + (negative || bytes[start] == UInt8('+'))
    i <= stop || return nothing
    isdigit_byte(bytes[i]) || bytes[i] == UInt8('.') || return special_float(bytes, i, stop, negative)
    mantissa, digits, scale = UInt64(0), 0, 0
    while i <= stop && isdigit_byte(bytes[i])
        mantissa, digits, i = 10 * mantissa + (bytes[i] - 0x30), digits + 1, i + 1
    end
    if i <= stop && bytes[i] == UInt8('.')
        i += 1
        while i <= stop && isdigit_byte(bytes[i])
            mantissa, digits, i = 10 * mantissa + (bytes[i] - 0x30), digits + 1, i + 1
            scale -= 1
        end
    end
    digits > 0 || return nothing
    if i <= stop
        bytes[i] in (UInt8('e'), UInt8('E'), UInt8('f'), UInt8('F')) || return nothing
        exponent = read_value(Int64, bytes, i + 1, stop)
        exponent === nothing && return nothing
        scale += clamp(exponent, -100_000, 100_000)
    end
    # One exact operation on exact operands rounds as correctly as a full parse does.
    digits <= 19 && mantissa <= EXACT_MANTISSA && abs(scale) <= 22 ||
        return full_parse(replace(text_at(bytes, start, stop), r"[fF]" => "e"), negative, scale)
    value = scale < 0 ? mantissa / TEN_POWERS[1-scale] : mantissa * TEN_POWERS[1+scale]
    negative ? -value : value
end

"""What `tryparse` makes of a well-formed number; it knows none beyond the range of floats."""
function full_parse(text, negative, scale)
    parsed = tryparse(Float64, text)
    parsed === nothing || return parsed
    value = scale > 0 ? Inf : 0.0
    negative ? -value : value
end

function special_float(bytes, start, stop, negative)
    stop - start + 1 in (3, 8) || return nothing
    word = lowercase(text_at(bytes, start, stop))
    word == "nan" && return NaN
    word == "inf" || word == "infinity" || return nothing
    negative ? -Inf : Inf
end

const TRUE_WORDS = ("true", "True", "TRUE", "1")
const FALSE_WORDS = ("false", "False", "FALSE", "0")

function read_value(::Type{Bool}, bytes, start, stop)
    0 < stop - start + 1 <= 5 || return nothing
    word = text_at(bytes, start, stop)
    word in TRUE_WORDS && return true
    word in FALSE_WORDS ? false : nothing
end

"""The number of at most `most` digits at `i`, and the position after it; -1 when there is none."""
function digits_at(bytes, i, stop, most)
    value, first = 0, i
    while i <= stop && i - first < most && isdigit_byte(bytes[i])
        value, i = 10 * value + Int(bytes[i] - 0x30), i + 1
    end
    (i == first ? -1 : value), i
end

"""Numbers with `marks` between them, at most `most` digits each; missing ones at the end are 0."""
function fields_at(bytes, i, stop, most::Int, mark::UInt8)
    first, i = digits_at(bytes, i, stop, most)
    second = third = 0
    count = 1
    if i < stop && bytes[i] == mark
        second, i = digits_at(bytes, i + 1, stop, 2)
        count = 2
        if i < stop && bytes[i] == mark
            third, i = digits_at(bytes, i + 1, stop, 2)
            count = 3
        end
    end
    min(first, second, third) < 0 ? (0, 0, 0, 0, i) : (count, first, second, third, i)
end

"""Decimals after a dot at `i`, as a number of `10^-places`; -1 when they are malformed."""
function decimals_at(bytes, i, stop, places)
    i > stop && return 0
    bytes[i] == UInt8('.') || return -1
    value, next = digits_at(bytes, i + 1, stop, places)
    value < 0 || next <= stop ? -1 : value * 10^(places - (next - i - 1))
end

function read_value(::Type{Date}, bytes, start, stop)
    count, year, month, day, next = fields_at(bytes, start, stop, 5, UInt8('-'))
    count == 3 && next > stop || return nothing
    Dates.validargs(Date, year, month, day) === nothing ? Date(year, month, day) : nothing
end

function read_value(::Type{DateTime}, bytes, start, stop)
    count, year, month, day, i = fields_at(bytes, start, stop, 5, UInt8('-'))
    count == 3 && i < stop && bytes[i] == UInt8('T') || return nothing
    count, hour, minute, second, i = fields_at(bytes, i + 1, stop, 2, UInt8(':'))
    count > 0 || return nothing
    thousandth = decimals_at(bytes, i, stop, 3)
    parts = (year, month, day, hour, minute, second, thousandth)
    thousandth >= 0 && Dates.validargs(DateTime, parts...) === nothing || return nothing
    DateTime(parts...)
end

function read_value(::Type{Time}, bytes, start, stop)
    count, hour, minute, second, i = fields_at(bytes, start, stop, 2, UInt8(':'))
    count >= 2 && hour < 24 && minute < 60 && second < 60 || return nothing
    billionth = decimals_at(bytes, i, stop, 9)
    billionth < 0 && return nothing
    Time(Nanosecond(((60 * hour + minute) * 60 + second) * 1_000_000_000 + billionth))
end
