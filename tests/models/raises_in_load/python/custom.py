import pandas as pd


def load_model(code_dir):
    raise ValueError("load went wrong")


def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"]})
