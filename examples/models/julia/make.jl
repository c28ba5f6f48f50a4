# Make a least-squares model twice, with Julia's own predictions: make.jl DATA.csv OUT_DIR
#
# OUT_DIR/object is the model as Julia serializes it, for a .jlso container; OUT_DIR/weights.csv
# holds the same numbers for the model whose hooks load them.

using DelimitedFiles, Serialization

include("jlso/custom.jl")
using .Custom: Linear, predict

cells, header = readdlm(ARGS[1], ',', Float64, '\n'; header = true)
names = String.(vec(header))
features = filter(name -> name != "target", names)
data = NamedTuple{Tuple(Symbol.(names))}(Tuple(cells[:, j] for j in eachindex(names)))

X = hcat(ones(size(cells, 1)), [data[Symbol(name)] for name in features]...)
model = Linear(features, X \ data.target)

out = ARGS[2]
mkpath(out)
serialize(joinpath(out, "object"), model)
writedlm(joinpath(out, "weights.csv"), [["(intercept)"; features] model.weights], ',')
writedlm(joinpath(out, "native.csv"), ["Predictions"; predict(model, data)], ',')
write(joinpath(out, "version"), string(VERSION))
