import os
import sys

import pandas as pd


def make_noise():
    print("noise")
    print("noise", file=sys.stderr)
    os.write(1, b"noise\n")  # past Python, as a C library would
    os.write(2, b"noise\n")


make_noise()


def load_model(code_dir):
    make_noise()
    return 2.0


def score(data, model, **kwargs):
    make_noise()
    return pd.DataFrame({"Predictions": data["a"] + model * data["b"]})
