load_model(code_dir) = "none"

score(data, model) = (x = data.a ./ 10, y = data.b ./ 10, z = fill(0.9, length(data.a)))
