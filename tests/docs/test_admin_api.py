"""The page of the admin API: its configuration loads, and its example deploys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from polyhost.config import load
from polyhost.deploy.desired_state import flat
from polyhost.server.admin_body import Load, parse

PAGE = (Path(__file__).parents[2] / "docs" / "admin-api.md").read_text(encoding="utf-8")


def test_the_configuration_loads(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "models").mkdir()
    config = tmp_path / "polyhost.yaml"
    config.write_text(text.replace("/srv", str(tmp_path)), encoding="utf-8")
    admin = load(config, {}, {}).settings.admin
    assert (admin.environment, admin.max_replicas) == (("OMP_NUM_THREADS", "MODEL_*"), 8)
    assert set(yaml.safe_load(text)) == {"admin", "store"}


def test_the_request_and_the_command_say_the_same():
    body = re.search(r"-d '(.*?)'", PAGE)[1]
    found = Load.of(parse(body.encode()))
    assert found == Load(**{**json.loads(body), "version": ""})
    name, value = re.search(r"--set (\S+)=(\S+)", PAGE).groups()
    assert flat(found.settings) == {name: value}
