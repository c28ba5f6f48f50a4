import pandas as pd


def load_model(code_dir):
    return 20


def score(data, model, class_labels, **kwargs):
    y = data["a"] / model
    x, _, z = class_labels
    return pd.DataFrame({x: 0.5, "y": y, z: 0.5 - y})
