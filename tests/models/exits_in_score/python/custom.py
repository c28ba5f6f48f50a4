import os

import pandas as pd


def load_model(code_dir):
    return 2.0


def score(data, model, **kwargs):
    if data["a"][0] == 666:
        os._exit(3)
    return pd.DataFrame({"Predictions": data["a"] + model * data["b"]})
