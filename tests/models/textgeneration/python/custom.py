import pandas as pd


def load_model(code_dir):
    return "hello "


def score(data, model, **kwargs):
    return pd.DataFrame({"completion": model + data["name"]})
