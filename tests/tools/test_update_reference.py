import json
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import update_reference
from config_reference import schema

from crossback_core.config import load_settings
from crossback_core.config.presets import SECTIONS

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_are_what_the_code_says(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["update_reference", "--check"])
    assert update_reference.main() == 0, capsys.readouterr().out


@pytest.fixture
def config():
    """The shipped configuration as an editor sees it: keys are texts in JSON."""
    return json.loads(json.dumps(yaml.safe_load((ROOT / "config.yaml").read_text())))


def test_the_schema_accepts_what_ships(config):
    jsonschema.validate(config, schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seeds",), 2),
        (("datasets", "icons", "encoder"), "bert"),
        (("datasets", "icons", "kind"), "icon"),
        (("datasets", "cub", "groups"), -1),
        (("datasets", "mscoco", "groups"), 16),
        (("presets", "demo", "training", "epochs"), 0),
        (("presets", "demo", "selection", "score"), "luck"),
        (("presets", "demo", "model", "depth"), 3),
    ],
)
def test_the_schema_refuses_what_the_code_refuses(config, path, value):
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, schema())
    with pytest.raises(ValueError, match="The configuration has"):
        load_settings(config)


def test_every_setting_says_what_it_means():
    whole = schema()
    presets, datasets = (
        whole["properties"][key]["additionalProperties"] for key in ("presets", "datasets")
    )
    settings = [whole["$defs"], *(presets["properties"][name]["properties"] for name in SECTIONS)]
    settings += [each["then"]["properties"] for each in datasets["allOf"]]
    for properties in settings:
        kept = {name: each for name, each in properties.items() if "$ref" not in each}
        assert [name for name, each in kept.items() if not each.get("description")] == []
