load_model(code_dir) = 2.0

score(data, model) = nothing
