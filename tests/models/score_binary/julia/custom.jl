module Custom

export load_model, score

load_model(code_dir) = "a tenth"

function score(data, model; kwargs)
    yes = data.a ./ 10
    Dict(kwargs.negative_class_label => 1 .- yes, kwargs.positive_class_label => yes) |> in_order
end

in_order(columns) = (no = columns["no"], yes = columns["yes"])

end
