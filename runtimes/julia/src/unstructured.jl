"""An unstructured answer: text, bytes or nothing, with the type the hook gave it."""
struct Answer
    body::Union{Nothing,String,Vector{UInt8}}
    mimetype::Union{Nothing,String}
    charset::Union{Nothing,String}
end

"""
Run `score_unstructured`, as `(data; model, ...)` or `(data, model; ...)`; `told` is what it may
know of the request.
"""
function run_unstructured(session::Session, data, told::NamedTuple)
    f = needed_hook(session, :score_unstructured)
    by_name = applicable(f, data) || !applicable(f, data, session.model)
    told = by_name ? merge((model = session.model,), told) : told
    args = by_name ? (data,) : (data, session.model)
    answer_of(call_unstructured(f, args, told))
end

"""As [`call`](@ref); a `kwargs` keyword never holds the model, which has a keyword of its own."""
function call_unstructured(f, args::Tuple, told::NamedTuple)
    :kwargs in keywords(f, args) || return call(f, args, told)
    request = (; (name => told[name] for name in keys(told) if name !== :model)...)
    named = chosen(told, keywords(f, args))
    f(args...; kwargs = request, named...)
end

answer_of(value) = Answer(body_of(value), nothing, nothing)

function answer_of(pair::Tuple{Any,Any})
    told = last(pair)
    told isa Union{Nothing,AbstractDict,NamedTuple} || refuse(pair)
    Answer(body_of(first(pair)), told_text(told, "mimetype"), told_text(told, "charset"))
end

told_text(::Nothing, name) = nothing
function told_text(told, name)
    for (key, value) in pairs(told)
        string(key) == name && value !== nothing && return string(value)
    end
    nothing
end

body_of(::Nothing) = nothing
body_of(text::AbstractString) = String(text)
body_of(bytes::AbstractVector{UInt8}) = Vector{UInt8}(bytes)
body_of(value) = python_bytes(value)

"""Bytes that a hook wrapped for Python by the real PyCall; anything else is refused."""
function python_bytes(value)
    nameof(typeof(value)) === :PyObject || refuse(value)
    Base.invokelatest(convert, Vector{UInt8}, value)
end

refuse(value) = throw(
    Fault(
        "InvalidOutput",
        "score_unstructured returned a $(typeof(value)): expected text, bytes or nothing, or a " *
        "tuple of one of these and a Dict with mimetype and charset.",
    ),
)
