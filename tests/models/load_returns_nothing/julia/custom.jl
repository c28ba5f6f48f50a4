load_model(code_dir) = nothing

score(data, model) = (Predictions = data.a .+ model .* data.b,)
