import pandas as pd


def load_model(code_dir):
    return "a model"


def score(data, model, **kwargs):
    return pd.DataFrame({"yes": data["a"] / 10})
