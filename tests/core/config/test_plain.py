"""Configuration files that do not say what they seem to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from crossback_core.config.plain import check_files, normalised

CONFIG = Path(__file__).resolve().parents[3] / "config.yaml"


def test_the_shipped_configuration_is_plain() -> None:
    check_files([CONFIG])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed: 1\na: 2\nseed: 3\n", "3: seed is given more than once"),
        ("a:\n  b:\n    c: 1\n    c: 1\n", "4: a.b.c is given more than once"),
        ("joint: {0150: {name: x}}\n", "1: joint.0150: 0150 is read as 104; write the number"),
        ("a: [1, 017]\n", "1: a.1: 017 is read as 15; write the number"),
        ("a:\n  time: 1:30\n", "2: a.time: 1:30 is read as 90; write the number"),
        ("a: 1_000\n", "1: a: 1_000 is read as 1000; write the number"),
        ("a: 0x1F\n", "1: a: 0x1F is read as 31"),
        ("a: [1, 2\n", "2: it is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: c: 2\n", "2: it is not YAML: mapping values are not allowed here"),
        ("a: 1\nb: \x07\n", "it is not YAML: unacceptable character #x0007"),
        ("a: 1\n__use_yte__: true\n", "2: __use_yte__ is not allowed: it runs code"),
        ("a: 1\n<<: {__use_yte__: true}\n", "2: __use_yte__ is not allowed: it runs code"),
        ("a: &a {__use_yte__: true}\n<<: *a\n", "1: __use_yte__ is not allowed: it runs code"),
        ('{"a": {"b": 1, "b": 2}}', "'b' is given more than once"),
        ("", "it is empty: it must be keys with their values"),
        ("- a\n", "it is a list: it must be keys with their values"),
        ("[1]", "it holds [1], not keys with their values"),
        ("a: 1\n? [1, 2]\n: 3\n", "2: a key is a list: it must be text"),
        ("a: !foo 3\n", "1: a: !foo is not allowed: write a plain value"),
        ("a: &a\n  b: *a\n", "1: a.b holds itself, by an alias"),
    ],
)
def test_what_yaml_reads_in_silence_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + re.escape(problem)):
        check_files([CONFIG, path])


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes("a: Möbel\n".encode("latin-1"))
    with pytest.raises(ValueError, match="my.yaml: byte 4 is not UTF-8: save the file as UTF-8"):
        check_files([path])


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        check_files([tmp_path])


def test_quotes_plain_numbers_and_anchors_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("a: &a {b: 0, c: '017', d: 1e-3, e: 0.5}\nf: {<<: *a, g: 10}\nh: -1\n")
    check_files([path])


def test_json_is_what_it_looks(tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_text('{\n\t"seed": 1\n}')
    check_files([path])


def test_nested_aliases_do_not_burst() -> None:
    text = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{base}, *{base}]\n"
        for base, name in zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True)
    )
    with pytest.raises(ValueError, match="more than 100000 values, or 50 levels"):
        normalised(yaml.safe_load(text))
