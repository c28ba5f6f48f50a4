load_model(code_dir) = "a text predicts nothing"
