"""What a message shows of a text from elsewhere is one short line that a terminal does not obey."""

import pytest

from crossback_core.section import shown
from crossback_core.wording import is_plain, printable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Möbel 猫", "Möbel 猫"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("two\r\nlines\u2028more", "two lines more"),
        (
            "Error(s):\n\tmissing a;  b\n\n    \n   unexpected c \n",
            "Error(s): missing a;  b unexpected c",
        ),
        ("  my  photo.jpg ", "  my  photo.jpg "),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("half \udcff", r"half \udcff"),
        ("see https://ann:pa@ss@a.org/b@c", "see https://...@a.org/b@c"),
        ("x" * 10**6, "x" * 597 + "..."),
    ],
)
def test_a_text_is_shown_on_one_short_line(text, line):
    assert printable(ValueError(text)) == line
    assert line.isprintable()


def test_a_refused_value_shows_no_password():
    assert shown(["ftp://ann:hush@a.org"]) == "['ftp://...@a.org']"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Möbel", True),
        ("a b", True),
        ("👩\u200d🔬", True),
        ("", False),
        (" ", False),
        (3, False),
        (None, False),
        ("3 ", False),
        ("می\u200cخواهم", True),
        ("x" * 1001, False),
    ]
    + [(f"a{odd}b", False) for odd in ("\n", "\x1b", "\x9b", "\u2028", "\u202e", "\udcff")],
)
def test_a_name_has_no_control_characters(name, plain):
    assert is_plain(name) == plain
