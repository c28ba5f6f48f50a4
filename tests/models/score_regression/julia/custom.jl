load_model(code_dir) = 2.0

score(data, model) = (Predictions = data.a .+ model .* data.b,)
