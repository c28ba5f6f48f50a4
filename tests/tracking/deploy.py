"""Deployments through MLflow's own API, against a host; run by MLflow's Python. Prints one JSON line."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pandas as pd
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException

client = get_deploy_client(sys.argv[1])
folder = sys.argv[2]
said = {}


def refused(key, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except MlflowException as error:
        said[key] = [error.error_code, error.message]


made = client.create_deployment("iris", "models:/my iris@champion", config={"replicas": "1"})
said["created"] = {key: made[key] for key in ("name", "version", "state", "flavor")}
frame = pd.DataFrame({"a": [1.0, np.nan], "b": [0.1 + 0.2, 1.0]})
said["frame"] = client.predict("iris", frame.head(1))["predictions"]
said["typed"] = client.predict("iris", frame.head(1)).get_predictions("ndarray").tolist()
said["arrays"] = client.predict("iris", {"a": np.array([1.0]), "b": np.array([0.0])})["predictions"]
updated = client.update_deployment("iris", "models:/my iris/2", flavor="sklearn")
said["updated"] = {key: updated[key] for key in ("name", "version", "flavor")}
said["after"] = client.predict("iris", frame.head(1))["predictions"]
said["listed"] = [each["name"] for each in client.list_deployments()]
said["got"] = client.get_deployment("iris")["version"]
refused("twice", client.create_deployment, "iris", "models:/my iris/1")
refused("absent", client.get_deployment, "nobody")
refused("outside", client.create_deployment, "x", folder)
refused("setting", client.create_deployment, "x", "models:/my iris/1", config={"no_such": "1"})
refused("replicas", client.update_deployment, "iris", config={"replicas": "many"})
refused("endpoint", client.list_deployments, endpoint="e")
refused("wrong", client.predict, "iris", pd.DataFrame({"a": [1.0]}))
os.environ["POLYHOST_URL"] = "http://127.0.0.1:9"
refused("away", get_deploy_client("polyhost").list_deployments)
client.delete_deployment("iris")
client.delete_deployment("iris")
said["left"] = client.list_deployments()
print(json.dumps(said))
