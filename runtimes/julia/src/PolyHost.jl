"""
The Julia half of polyhost: loads a model from a code dir, runs its hooks and predicts.

Usable without any host: [`read_csv`](@ref) gives a [`Frame`](@ref), [`Session`](@ref) loads a
`custom.jl`, and [`predict`](@ref), [`classes`](@ref), [`features`](@ref), [`schema`](@ref),
[`target_type`](@ref) and [`row_wise`](@ref) are the functions a model type may extend. A host in another language enters through `TABLE`,
the C entry points of `entries.jl`.
"""
module PolyHost

using Dates
using Serialization

# Compiles a third faster, and reads CSV no slower: what is hot here is bound by memory.
Base.Experimental.@optlevel 1

export Frame, nrow, ncol, select, select!, read_csv

include("frame.jl")
include("numbers.jl")
include("csv.jl")
include("json.jl")
include("errors.jl")
include("interop.jl")
include("session.jl")
include("artifacts.jl")
include("models.jl")
include("schema.jl")
include("networks.jl")
include("unstructured.jl")
include("columns.jl")
include("entries.jl")

# Run while the package is precompiled, so that what this infers (and, from Julia 1.9, compiles)
# is in its cache.
if ccall(:jl_generating_output, Cint, ()) == 1
    warm()
end

end
