"""An unstructured answer: text, bytes or nothing, with the type the hook gave it."""
struct Answer
    body::Union{Nothing,String,Vector{UInt8}}
    mimetype::Union{Nothing,String}
    charset::Union{Nothing,String}
end

"""
Run `score_unstructured` in the form that it has, see [`form_of`](@ref); `given` is what it may know
of the request.
"""
function run_unstructured(session::Session, data, given::NamedTuple)
    f = needed_hook(session, :score_unstructured)
    form = form_of(f, session.model, data)
    form === :by_name &&
        return answer_of(call_unstructured(f, (data,), merge((model = session.model,), given)))
    args = form === :model_first ? (session.model, data) : (data, session.model)
    answer_of(call_unstructured(f, args, given))
end

"""
    form_of(f, model, data)

How a `score_unstructured` takes these two: `:by_name` is `(data; model, ...)`, `:model_first` is
`(model, data; ...)` and `:data_first` is `(data, model; ...)`. The last two are distinguished by the
names `model` and `data` of its arguments, then by their types. What stays ambiguous is refused:
the wrong order would pass unnoticed.
"""
function form_of(f, model, data)
    takes_both = applicable(f, model, data) || applicable(f, data, model)
    if applicable(f, data) && (!takes_both || names_model(f, data))
        return :by_name
    end
    forms = (model_first = (model, data), data_first = (data, model))
    possible = [(form, said(f, args)) for (form, args) in pairs(forms) if applicable(f, args...)]
    possible = filter(((form, says),) -> says in (form, nothing), possible)
    sure = filter(((form, says),) -> says === form, possible)
    isempty(sure) || return first(first(sure))
    length(possible) == 1 && return first(first(possible))
    throw(Fault("MissingHook", isempty(possible) ? NO_FORM : AMBIGUOUS))
end

const NO_FORM =
    "score_unstructured takes neither (data; model, ...) nor (model, data; ...): " *
    "expected one of them, for data that is a String or a Vector{UInt8}."
const AMBIGUOUS =
    "score_unstructured takes two arguments, and neither their names nor their types say which " *
    "of them is the model. Name them model and data."

"""Whether the method for the data alone takes its model by name, or any number of arguments."""
function names_model(f, data)
    method = which(f, Tuple{Core.Typeof(data)})
    method.isva || :model in keywords(f, (data,))
end

"""The order that the names of a method's two arguments say; `nothing` where they say none."""
function said(f, args)
    method = which(f, Tuple{map(Core.Typeof, args)...})
    method.nargs == 3 && !method.isva || return nothing
    first_name, second_name = plain_name.(Base.method_argnames(method)[2:3])
    votes = Set{Symbol}()
    (first_name === :model || second_name === :data) && push!(votes, :model_first)
    (first_name === :data || second_name === :model) && push!(votes, :data_first)
    length(votes) == 1 ? only(votes) : nothing
end

plain_name(name) = Symbol(strip(String(name), '_'))

"""Refuse a `score_unstructured` that no request could be given to, as soon as the model is there."""
function check_unstructured(session::Session)
    f = hook(session, :score_unstructured)
    session.target_type == "unstructured" && f !== nothing || return nothing
    faults = Fault[]
    for data in ("", UInt8[])
        try
            form_of(f, session.model, data)
        catch fault
            fault isa Fault || rethrow()
            push!(faults, fault)
        end
    end
    length(faults) == 2 && throw(last(faults))
    nothing
end

"""As [`call`](@ref); a `kwargs` keyword never holds the model, which has a keyword of its own."""
function call_unstructured(f, args::Tuple, given::NamedTuple)
    :kwargs in keywords(f, args) || return call(f, args, given)
    request = (; (name => given[name] for name in keys(given) if name !== :model)...)
    named = chosen(given, keywords(f, args))
    f(args...; kwargs = request, named...)
end

answer_of(value) = Answer(body_of(value), nothing, nothing)

function answer_of(pair::Tuple{Any,Any})
    given = last(pair)
    given isa Union{Nothing,AbstractDict,NamedTuple} || refuse(pair)
    Answer(body_of(first(pair)), text_of_key(given, "mimetype"), text_of_key(given, "charset"))
end

text_of_key(::Nothing, name) = nothing
function text_of_key(given, name)
    for (key, value) in pairs(given)
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
