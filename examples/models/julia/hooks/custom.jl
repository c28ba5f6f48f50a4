# A linear model in a file of weights: no artifact that polyhost knows, so hooks load and score.
module Custom

export load_model, score

using DelimitedFiles

function load_model(code_dir)
    cells = readdlm(joinpath(code_dir, "weights.csv"), ',')
    Dict(Symbol(name) => Float64(weight) for (name, weight) in eachrow(cells))
end

function score(data, model; kwargs...)
    total = fill(model[Symbol("(intercept)")], length(data.age))
    for (name, weight) in model
        name == Symbol("(intercept)") || (total .+= getproperty(data, name) .* weight)
    end
    (Predictions = total,)
end

end
