def load_model(code_dir):
    return "some text"
