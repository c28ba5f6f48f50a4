def load_model(code_dir):
    return "a model"


def score(data, model, **kwargs):
    return None
