import io

import pandas as pd

start = None


def init(code_dir):
    global start
    start = 1.0


def load_model(code_dir):
    return 2.0


def read_input_data(input_binary_data):
    lines = input_binary_data.decode("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("#")]
    return pd.read_csv(io.StringIO("".join(kept)))


def transform(data, model):
    return data.assign(c=10 * data["a"])


def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["c"] + model * data["b"] + start})


def post_process(predictions, model):
    return predictions + 1000
