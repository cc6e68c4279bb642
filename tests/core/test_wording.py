"""What a message shows of a text from elsewhere is one short line that a terminal does not obey."""

import pytest

from crossback_core.wording import is_plain, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Möbel 猫", "Möbel 猫"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("two\r\nlines\u2028more", "two lines more"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("half \udcff", r"half \udcff"),
        ("x" * 10**6, "x" * 597 + "..."),
    ],
)
def test_a_text_is_shown_on_one_short_line(text, shown):
    assert printable(ValueError(text)) == shown
    assert shown.isprintable()


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
    ]
    + [(f"a{odd}b", False) for odd in ("\n", "\x1b", "\x9b", "\u2028", "\udcff")],
)
def test_a_name_has_no_control_characters(name, plain):
    assert is_plain(name) == plain
