# The model types of the artifacts beside this file: a prediction needs no score hook, since
# `predict` stands next to them.
module Custom

using LinearAlgebra

"""Ordinary least squares."""
struct LinearModel
    features::Vector{String}
    means::Vector{Float64}
    scales::Vector{Float64}
    weights::Vector{Float64}
end

"""Softmax regression: one column of weights a class."""
struct SoftmaxModel
    features::Vector{String}
    means::Vector{Float64}
    scales::Vector{Float64}
    weights::Matrix{Float64}
    classes::Vector{String}
end

const Model = Union{LinearModel,SoftmaxModel}

features(model::Model) = model.features
classes(model::SoftmaxModel) = model.classes
row_wise(::Model) = true

"""Standardised features with a leading one; a missing cell counts as the training mean."""
function design(features, means, scales, data)
    rows = length(getproperty(data, Symbol(first(features))))
    X = ones(rows, length(features) + 1)
    for (j, name) in enumerate(features)
        column = coalesce.(getproperty(data, Symbol(name)), means[j])
        X[:, j+1] .= (column .- means[j]) ./ scales[j]
    end
    X
end

design(model::Model, data) = design(model.features, model.means, model.scales, data)

predict(model::LinearModel, data) = design(model, data) * model.weights

function predict(model::SoftmaxModel, data)
    scores = design(model, data) * model.weights
    shares = exp.(scores .- maximum(scores, dims = 2))
    shares ./ sum(shares, dims = 2)
end

end
