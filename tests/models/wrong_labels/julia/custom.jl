load_model(code_dir) = 2.0

function score(data, model)
    half = fill(0.5, length(data.a))
    (maybe = half, perhaps = half)
end
