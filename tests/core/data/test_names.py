"""Names: one way to write each, and none that a path, Snakemake or a reader takes for another."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.data.names import (
    by_number,
    check_distinct,
    check_path,
    cleaned,
    name_of,
    spelt,
    task_name,
    with_modality,
)


@given(st.text())
def test_cleaning_twice_is_cleaning_once(name):
    assert cleaned(cleaned(name)) == cleaned(name)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (unicodedata.normalize("NFD", "Ärger"), "Ärger"),
        ("\u212b", "Å"),  # the sign of the unit
        (" \t\u00a0\u3000cat\r\n", "cat"),
        ("sweet  tooth", "sweet tooth"),
        ("grey\u00a0cat", "grey cat"),  # as web pages and spreadsheets write it
        ("ﬁn²", "ﬁn²"),  # they look another, and are
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian joins no letters here
        ("a/b: {c} *", "a/b: {c} *"),
    ],
)
def test_names_of_classes_have_one_form_and_nearly_any_character(given, name):
    assert name_of("class", given) == name


@pytest.mark.parametrize(
    ("character", "code"),
    [
        ("\0", "U+0000"),
        ("\n", "U+000A"),
        ("\x1b", "U+001B"),
        ("\u00ad", "U+00AD"),
        ("\u200b", "U+200B"),
        ("\u2028", "U+2028"),
        ("\u202e", "U+202E"),  # turns what follows around
        ("\ud800", "U+D800"),
        ("\ue000", "U+E000"),
        ("\ufeff", "U+FEFF"),
        ("\U000e0041", "U+E0041"),
    ],
)
def test_an_invisible_character_is_named(character, code):
    for what, read in (("class", lambda given: name_of("class", given)), ("task", task_name)):
        with pytest.raises(ValueError, match=f"^{what} 'a") as caught:
            read(f"a{character}b")
        assert f"has the invisible character {character!r} ({code}): rename it" in str(caught.value)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("path", "problem", "shown"),
    [
        ("a/b\r", r"'a/b\\r' has the invisible character '\\r' \(U\+000D\): rename it", r"a/b\r"),
        ("a/\x1b[2J", r"has the invisible character '\\x1b'", r"a/\x1b[2J"),
        ("a\udcff", r"'a\\udcff' has bytes that are not utf-8: rename it, or set", r"a\udcff"),
    ],
)
def test_a_path_has_no_invisible_character_and_is_shown_with_it_spelt(path, problem, shown):
    with pytest.raises(ValueError, match=problem):
        check_path(path)
    assert spelt(path) == shown
    fine = '{a}/<b>, 50% -rf/it\'s "ä".png'
    check_path(fine)
    assert spelt(fine) == fine


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0\u3000"])
def test_a_blank_name_is_refused(blank):
    with pytest.raises(ValueError, match="group '.*' has only blanks: rename it"):
        name_of("group", blank)


@pytest.mark.parametrize("name", ["Tiere_2-neu.1+x", "動物", "जानवर", "٣", "..", "-rf", "a" * 100])
def test_letters_of_any_script_name_a_task(name):
    assert task_name(f" {name} ") == name


@pytest.mark.parametrize("character", [*"/\\{}*?[]<>|:;,\"'`~!#$%&()=@^ ", "∕", "／", "❤"])
def test_a_character_that_something_takes_for_something_else_is_named(character):
    words = f"has the character {character!r} (U+{ord(character):04X}): rename it; the names of"
    with pytest.raises(ValueError, match=r"have letters, digits and _ - \. \+$") as caught:
        task_name(f"a{character}b")
    assert words in str(caught.value)


def test_a_name_is_too_long_by_its_bytes():
    assert task_name("é" * 50)
    with pytest.raises(ValueError, match="task 'é+' has 102 bytes, not at most 100: shorten it"):
        task_name("é" * 51)


@pytest.mark.parametrize(
    ("first", "second"),
    [("Cats", "cats"), ("ÄRGER", "ärger"), ("STRASSE", "straße"), ("GROẞ", "groß")],
)
def test_tasks_that_differ_in_nothing_but_case_are_refused(first, second):
    check_distinct([first, "other", first])
    with pytest.raises(ValueError, match=f"tasks '{first}' and '{second}' differ only in case"):
        check_distinct([first, "other", second])


def test_numbers_come_by_their_value_and_before_names():
    wanted = ["1", "2", "10", "100", "10-a", "A", "a", "é"]
    assert sorted(sorted(wanted), key=by_number) == wanted


def test_a_modality_is_said_once():
    assert with_modality("image-cats", "image") == "image-cats"
    assert with_modality("3", "image") == "image 3"
    assert with_modality("imagery", "image") == "image imagery"
