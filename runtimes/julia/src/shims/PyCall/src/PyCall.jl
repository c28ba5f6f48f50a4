__precompile__(false)
"""
Stands in for PyCall where the model's project has none: unstructured hooks written for hosts
that spoke through Python wrap their answer in `pybytes` and `PyDict`.
"""
module PyCall

export pybytes, PyDict

pybytes(text::AbstractString) = Vector{UInt8}(codeunits(text))
pybytes(bytes::AbstractVector{UInt8}) = Vector{UInt8}(bytes)

const PyDict = Dict

end
