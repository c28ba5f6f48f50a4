load_model(code_dir) = "none"

score(data, model) = (answer = "agent of " .* data.name,)
