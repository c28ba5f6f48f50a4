# julia train.jl TRAINING.csv INPUT.csv TARGET KIND OUT_DIR: train in plain Julia, write the model
# serialized (OUT_DIR/object) and its own predictions of INPUT.csv (OUT_DIR/expected.csv).

using DelimitedFiles, LinearAlgebra, Serialization, Statistics

include("custom.jl")
using .Custom: LinearModel, SoftmaxModel, design, predict

training, input, target, kind, out = ARGS

"""A CSV file of numbers, with or without gaps, by DelimitedFiles: names to columns."""
function columns(path)
    cells, header = readdlm(path, ',', Any, '\n'; header = true)
    cells[cells.==""] .= missing
    names = Tuple(Symbol.(vec(header)))
    NamedTuple{names}(Tuple([cells[:, j]...] for j in eachindex(names)))
end

function standards(data, features)
    values = [Float64.(getproperty(data, Symbol(name))) for name in features]
    mean.(values), std.(values)
end

function softmax_weights(X, Y)
    weights = zeros(size(X, 2), size(Y, 2))
    for _ = 1:3000
        scores = X * weights
        shares = exp.(scores .- maximum(scores, dims = 2))
        shares ./= sum(shares, dims = 2)
        weights .-= 0.3 .* (X' * (shares .- Y) ./ size(X, 1) .+ 1e-3 .* weights)
    end
    weights
end

function train(data, features)
    means, scales = standards(data, features)
    X = design(features, means, scales, data)
    y = getproperty(data, Symbol(target))
    if kind == "regression"
        return LinearModel(features, means, scales, X \ Float64.(y))
    end
    labels = sort(unique(String.(y)))
    Y = Float64[value == label for value in y, label in labels]
    SoftmaxModel(features, means, scales, softmax_weights(X, Y), labels)
end

header(::LinearModel) = ["Predictions"]
header(model::SoftmaxModel) = model.classes

data = columns(training)
model = train(data, [String(name) for name in keys(data) if name != Symbol(target)])
serialize(joinpath(out, "object"), model)
predictions = predict(model, columns(input))
open(joinpath(out, "expected.csv"), "w") do file
    writedlm(file, permutedims(header(model)), ',')
    writedlm(file, predictions, ',')
end
write(joinpath(out, "version"), string(VERSION))
