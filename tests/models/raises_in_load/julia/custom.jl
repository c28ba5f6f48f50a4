load_model(code_dir) = error("load went wrong")

score(data, model) = (Predictions = data.a .+ model .* data.b,)
