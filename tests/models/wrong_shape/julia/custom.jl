load_model(code_dir) = 2.0

score(data, model) = (u = data.a, v = data.b)
