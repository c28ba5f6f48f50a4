"""
    Fault(kind, message)

An error that polyhost itself raises. `kind` names the branch of its error tree, which says who
must act: `InvalidInput`, `SchemaMismatch`, `InvalidOutput`, `LoadError` or `RuntimeUnavailable`.
"""
struct Fault <: Exception
    kind::String
    message::String
end

Base.showerror(io::IO, fault::Fault) = print(io, fault.message)

const TRACE_LINES = 60

"""What a host reports of an exception: its type, message, traceback, and `file:line` in `code_dir`."""
function report(exception, backtrace, code_dir::AbstractString)
    frames = julia_frames(backtrace)
    (
        kind = exception isa Fault ? exception.kind : "ModelError",
        type = String(nameof(typeof(exception))),
        message = message_of(exception),
        traceback = join((line_of(i, frame) for (i, frame) in enumerate(frames)), "\n"),
        location = location_of(exception, frames, code_dir),
    )
end

line_of(i, frame) = "[$i] $(frame.func) at $(frame.file):$(frame.line)"

"""What `showerror` prints, without the type's name before it, which is reported separately."""
function message_of(exception)
    try
        text = Base.invokelatest(sprint, showerror, exception)
        prefix = "$(nameof(typeof(exception))): "
        startswith(text, prefix) ? String(chop(text, head = length(prefix), tail = 0)) : text
    catch failure
        "(its showerror method fails: $(typeof(failure)))"
    end
end

"""
Frames of Julia code, innermost first, down to the entry point. C frames are left out before they
are resolved: reading their debug information prints warnings with some builds of Julia.
"""
function julia_frames(backtrace)
    frames = StackTraces.StackFrame[]
    for pointer in backtrace
        pointer isa Ptr && isempty(code_at(pointer)) && continue
        for frame in StackTraces.lookup(pointer)
            frame.from_c && continue
            String(frame.file) == ENTRIES_FILE && return frames
            push!(frames, frame)
            length(frames) == TRACE_LINES && return frames
        end
    end
    frames
end

const ENTRIES_FILE = joinpath(@__DIR__, "entries.jl")

code_at(pointer::Ptr) =
    ccall(:jl_lookup_code_address, Any, (Ptr{Cvoid}, Cint), pointer, true)

function location_of(exception, frames, code_dir)
    exception isa LoadError && return location_of_load(exception)
    isempty(code_dir) && return nothing
    for frame in frames
        file = String(frame.file)
        startswith(file, code_dir) && return "$file:$(frame.line)"
    end
    nothing
end

location_of_load(failure::LoadError) =
    failure.error isa LoadError ? location_of_load(failure.error) : "$(failure.file):$(failure.line)"
