load_model(code_dir) = 2.0

score(data, model) = error("score went wrong")
