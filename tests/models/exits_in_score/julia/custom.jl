load_model(code_dir) = 2.0

function score(data, model)
    first(data.a) == 666 && exit(3)
    (Predictions = data.a .+ model .* data.b,)
end
