load_model(code_dir) = sleep(600)

score(data, model) = data
