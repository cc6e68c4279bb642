"""Make docs/configuration.md, docs/command-line.md, the JSON schema, the scores in docs/method.md.

All follow from the sections, commands and scores that the code declares. `--check` changes nothing
and fails where one of them is old.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import yaml
from command_reference import page as command_page
from config_reference import metric_table, page, schema

from crossback_core.config import load_settings
from crossback_core.config.presets import load_presets
from crossback_core.storage.files import write_text

ROOT = Path(__file__).resolve().parents[1]
SCORES = re.compile(r"(<!-- scores -->\n)(?:.*?\n)??(<!-- end -->)", re.DOTALL)


def made() -> dict[Path, str]:
    """Return what each file should hold."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    presets = load_presets(config["presets"], [])
    method = ROOT / "docs" / "method.md"
    text = method.read_text(encoding="utf-8")
    return {
        ROOT / "docs" / "configuration.md": page(load_settings(config), presets),
        ROOT / "docs" / "command-line.md": command_page(),
        ROOT / "schemas" / "config.schema.json": json.dumps(schema(), indent=2) + "\n",
        method: SCORES.sub(lambda found: found[1] + metric_table() + found[2], text),
    }


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if one is old")
    check = parser.parse_args().check
    old = [
        path
        for path, text in made().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in old:
        print(f"{path.relative_to(ROOT)} {'is old: run make reference' if check else 'is written'}")
        if not check:
            write_text(made()[path], path)
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
