"""A linear model in a file of weights: no artifact that polyhost knows, so hooks load and score."""

import os

import pandas as pd


def load_model(code_dir):
    weights = pd.read_csv(os.path.join(code_dir, "weights.csv"))
    return weights.set_index("name")["weight"].to_dict()


def score(data, model, **kwargs):
    total = model["(intercept)"]
    for name, weight in model.items():
        if name != "(intercept)":
            total = total + data[name] * weight
    return pd.DataFrame({"Predictions": total})
