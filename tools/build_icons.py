"""Build the embedded data set data/icons, or check that the committed one is what is built."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from icons_builder.build import Plan, build
from icons_builder.output import differences, replace_folder

ROOT = Path(__file__).resolve().parent.parent


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "icons", help="downloads")
    parser.add_argument("--output", type=Path, default=ROOT / "data" / "icons", help="the product")
    parser.add_argument("--embedding-dim", type=int, default=128, help="width of the embeddings")
    parser.add_argument("--encoder", type=Path, help="folder of another Hugging Face encoder")
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    return parser.parse_args()


def main() -> int:
    """Build or check; 1 if the check finds a difference."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = parse_arguments()
    plan = Plan(
        classes=ROOT / "tools" / "classes.yaml",
        cache=given.cache,
        documents=ROOT / "data" / "icons",
        width=given.embedding_dim,
        encoder=given.encoder,
    )
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "icons"
        built.mkdir()
        build(plan, built)
        if not given.check:
            replace_folder(built, given.output)
            return 0
        found = differences(built, given.output)
    for line in found:
        logging.error(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
