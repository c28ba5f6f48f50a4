"""
    load_artifact!(session, objects)

Make the model of an artifact's objects: `name => value` pairs. A pair of `model` and `fitresult`
is an MLJ machine; one object alone is the model; several are a dictionary of them.
"""
function load_artifact!(session::Session, objects::Vector{Pair{String,Any}})
    extend_tables()
    named = Dict(objects)
    session.model =
        haskey(named, "model") && haskey(named, "fitresult") ? machine(named) :
        length(objects) == 1 ? restored(last(first(objects))) : named
    nothing
end

"""
    restore(bytes, format, manifest) -> value

One object of an artifact. Its types' packages are loaded as the data asks for them, from the
model's project.
"""
function restore(bytes::Vector{UInt8}, format::AbstractString, manifest::AbstractString)
    format == "bson" && return restore_bson(bytes)
    asked = Base.PkgId[]
    while true
        try
            return Base.invokelatest(deserialize, IOBuffer(bytes))
        catch failure
            failure isa KeyError && failure.key isa Base.PkgId && !(failure.key in asked) ||
                rethrow()
            push!(asked, failure.key)
            require(failure.key, manifest)
        end
    end
end

function require(package::Base.PkgId, manifest::AbstractString)
    Base.locate_package(package) === nothing || return Base.require(package)
    version = written_version(package.name, manifest)
    throw(
        Fault(
            "RuntimeUnavailable",
            "the artifact needs the Julia package $(package.name)$version, which the model's " *
            "project does not have. Set JULIA_PROJECT to a project that has it: " *
            "julia --project=DIR -e 'using Pkg; Pkg.add(\"$(package.name)\")'",
        ),
    )
end

"""` v1.2.3` as the artifact's own manifest names it, or nothing."""
function written_version(name::AbstractString, manifest::AbstractString)
    header = Regex("^\\[\\[(deps\\.)?$name\\]\\]\$", "m")
    found = findfirst(header, manifest)
    found === nothing && return ""
    section = first(split(manifest[last(found)+1:end], "\n[["))
    version = match(r"^version = \"(.*)\""m, section)
    version === nothing ? "" : " v$(version[1])"
end

function restore_bson(bytes::Vector{UInt8})
    bson = optional(BSON_PACKAGE)
    bson === nothing && throw(
        Fault(
            "RuntimeUnavailable",
            "the artifact's objects are in the format \"bson\", which needs the Julia package " *
            "BSON; the model's project does not have it. Add BSON to the project that " *
            "JULIA_PROJECT names.",
        ),
    )
    first(values(Base.invokelatest(bson.load, IOBuffer(bytes))))
end

"""The MLJ machine of a saved model and its fit result."""
function machine(objects::Dict{String,Any})
    mlj = optional(MLJBASE)
    mlj === nothing && return objects
    report = get(objects, "report", nothing)
    Base.invokelatest(build_machine, mlj, objects["model"], objects["fitresult"], report)
end

function build_machine(mlj::Module, model, fitresult, report)
    built = mlj.Machine(model; cache = true)
    built.fitresult = mlj.restore("", model, fitresult)
    report === nothing || (built.report = report)
    built.state = 1
    built
end

"""A machine that newer MLJ wrote is made ready to predict; anything else is left alone."""
restored(value) = Base.invokelatest(restored_machine, value)

function restored_machine(value)
    is_machine(value) && isdefined(loaded(MLJBASE), :restore!) && loaded(MLJBASE).restore!(value)
    value
end

is_machine(value) = loaded(MLJBASE) !== nothing && value isa loaded(MLJBASE).Machine
