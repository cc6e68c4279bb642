"""Vocabularies are checked, and packed texts keep their embeddings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from crossback_core.data import Split
from crossback_core.data.modalities.text import MODALITY, pack_tokens
from crossback_core.data.text import caption_problem, read_caption, read_vocabulary

WORDS = "[PAD]\na\n##b\n\u2028c\n"
TABLE = np.arange(8, dtype=np.float16).reshape(4, 2)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    words, table = tmp_path / "vocabulary.txt", tmp_path / "embeddings.npy"
    words.write_text(WORDS, encoding="utf-8")
    np.save(table, TABLE)
    return words, table


def test_each_line_is_the_wordpiece_of_its_row(files):
    vocabulary = read_vocabulary(*files)
    assert vocabulary.ids == {"[PAD]": 0, "a": 1, "##b": 2, "\u2028c": 3}
    assert np.array_equal(vocabulary.embeddings, TABLE)


DAMAGED = "is not a NumPy array file or is damaged"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\n[PAD]\n", r"vocabulary\.txt: line 1 is 'a', it has to be \[PAD\]"),
        ("[PAD]\na\nb\na\n", r"vocabulary\.txt: wordpiece 'a' is listed twice"),
        (b"[PAD]\n\xff\nb\nc\n", r"vocabulary\.txt: it is not UTF-8 at byte 7"),
        (TABLE[:3], r"embeddings\.npy has 3 rows, the vocabulary has 4 wordpieces"),
        (TABLE.astype(np.float32), r"\.npy is float32 of shape \(4, 2\), not float16"),
        (TABLE[0], r"\.npy is float16 of shape \(2,\)"),
        (TABLE[:, :0], r"\.npy is float16 of shape \(4, 0\)"),
        (np.where(TABLE == 5, np.nan, TABLE), r"\.npy: row 2 holds NaN"),
        (np.where(TABLE == 6, np.inf, TABLE), r"\.npy: row 3 holds NaN or an infinite"),
        (np.array([{}, 1], dtype=object), rf"\.npy {DAMAGED}"),
        *((kept, rf"\.npy {DAMAGED}") for kept in (0, 5, 70, 135)),
    ],
)
def test_a_faulty_file_is_named(files, content, words):
    if isinstance(content, str):
        files[0].write_text(content)
    elif isinstance(content, bytes):
        files[0].write_bytes(content)
    elif isinstance(content, int):
        files[1].write_bytes(files[1].read_bytes()[:content])
    else:
        np.save(files[1], content, allow_pickle=True)
    with pytest.raises(ValueError, match=words):
        read_vocabulary(*files)


@pytest.mark.parametrize("mark", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_is_followed(tmp_path, mark):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffun café\r\n\n \u0441\u043b\u043e\u0432\u043e\n".encode(mark))
    assert read_caption(path) == "un café \u0441\u043b\u043e\u0432\u043e"
    assert not caption_problem(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("café".encode("latin-1"), r"it is not UTF-8 at byte 4 \(0xe9\): save it as UTF-8"),
        ("\ufeffab".encode("utf-16-le")[:-1], r"it is not UTF-16 at byte 5 \(0x62\)"),
        (b"a\x00b", "character 2 is the control character 0x00: save it as UTF-8, or UTF-16 with"),
        ("\u0441\u043b\u043e\u0432\u043e".encode("utf-16-le"), "the control character 0x04"),
        ("ab".encode("utf-32-be"), "the control character 0x00"),
        ("\u4e2d".encode("iso2022_jp"), "the control character 0x1b"),
    ],
)
def test_what_is_no_text_says_why(tmp_path, content, words):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"a.txt: .*{words}"):
        read_caption(path)
    assert re.match(f"unreadable text: .*{words}", caption_problem(path))


def test_a_stray_control_character_costs_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a text of some words\x0c and an end mark of DOS\x1a")
    assert not caption_problem(tmp_path / "a.txt")


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_text_of_nothing_but_white_space_is_empty(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    assert caption_problem(tmp_path / "a.txt") == "empty caption"


embeddings = st_numpy.arrays(
    np.float16, st.tuples(st.just(9), st.integers(1, 3)), elements=st.floats(-8, 8, width=16)
)
texts = st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=6), min_size=1, max_size=5)


@given(texts, embeddings)
def test_packed_texts_read_as_their_original_embeddings(texts, embeddings):
    tokens, table = pack_tokens(texts, embeddings)
    labels = tokens.new_zeros(len(texts)).long()
    split = Split(MODALITY, labels, tuple(map(str, texts)), tokens, table)
    values, mask = split.inputs()
    assert mask.equal(tokens != 0)
    for row, text in enumerate(texts):
        assert mask[row].sum() == len(text)
        assert np.array_equal(values[row, : len(text)], embeddings[text].astype(np.float32))
        assert not values[row, len(text) :].any()
    # The table holds exactly the tokens in use.
    assert len(table) == 1 + len({row for text in texts for row in text})
    assert set(tokens.unique().tolist()) - {0} == set(range(1, len(table)))
    assert tokens.shape[1] == max(map(len, texts))
