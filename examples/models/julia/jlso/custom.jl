# The type of the model in the .jlso beside this file, and how it predicts: no score hook is needed.
module Custom

"""Least squares: the first weight is the intercept's."""
struct Linear
    features::Vector{String}
    weights::Vector{Float64}
end

features(model::Linear) = model.features

predict(model::Linear, data) =
    model.weights[1] .+ sum(
        getproperty(data, Symbol(name)) .* weight for
        (name, weight) in zip(model.features, model.weights[2:end])
    )

end
