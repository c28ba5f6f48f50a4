import pandas as pd


def load_model(code_dir):
    return 2.0


def score(data, model, **kwargs):
    while data["a"][0] == 666:
        pass
    return pd.DataFrame({"Predictions": data["a"] + model * data["b"]})
