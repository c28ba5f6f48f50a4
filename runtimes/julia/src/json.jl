"""
    json(value) -> String

`value` as JSON text: numbers, text, booleans, `nothing` and `missing` (null), vectors, tuples,
dictionaries and named tuples; numbers that JSON lacks are null, anything else is its text.
"""
json(value) = sprint(write_json, value)

write_json(io::IO, ::Union{Nothing,Missing}) = print(io, "null")
write_json(io::IO, value::Union{Bool,Integer}) = print(io, value)
write_json(io::IO, value::Real) =
    isfinite(value) ? print(io, Float64(value)) : print(io, "null")
write_json(io::IO, value::Union{AbstractVector,Tuple}) = write_items(write_json, io, value, '[', ']')
write_json(io::IO, value::Union{AbstractDict,NamedTuple}) =
    write_items(write_member, io, pairs(value), '{', '}')
write_json(io::IO, value) = write_json(io, string(value))

function write_items(write_item, io::IO, items, open::Char, close::Char)
    print(io, open)
    for (i, item) in enumerate(items)
        i == 1 || print(io, ',')
        write_item(io, item)
    end
    print(io, close)
end

function write_member(io::IO, member::Pair)
    write_json(io, string(first(member)))
    print(io, ':')
    write_json(io, last(member))
end

function write_json(io::IO, text::AbstractString)
    print(io, '"')
    for character in text
        if character == '"' || character == '\\'
            print(io, '\\', character)
        elseif !isvalid(character)
            print(io, '\ufffd')
        elseif character < ' '
            print(io, "\\u", string(UInt32(character), base = 16, pad = 4))
        else
            print(io, character)
        end
    end
    print(io, '"')
end
