load_model(code_dir) = "none"

transform(data, model) = (a2 = 2 .* data.a, b = data.b)
