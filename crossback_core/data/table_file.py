"""A table that a user wrote, as text: CSV in UTF-8, or Parquet. An error names file and row."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator, Sequence
from datetime import date
from numbers import Number
from pathlib import Path

import numpy as np
import pandas as pd

from crossback_core.data.names import cleaned
from crossback_core.section import shown
from crossback_core.wording import printable

_TEXT_OR_NUMBER = (str, Number, np.bool_, date)  # a time is a date as well
_LONGEST_VALUE = 2**31 - 1  # characters; Python's own limit is short for a text
_OTHER_MARKS = {  # of four bytes before those of two, which they begin with
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 200  # characters of another's message
_MOST_SHOWN = 10  # columns
_SAVE = "save it as CSV in UTF-8"


def read_table(path: Path, columns: Sequence[str], needed: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Read a table as text.

    Args:
        path: A CSV or a Parquet file.
        columns: Those that may be wanted.
        needed: Of each of these it has to have one.

    Returns:
        Those of them that the table has. Its index numbers the rows: 1 is the first one below the
        header; rows without any value are left out.

    Raises:
        ValueError: It is no such table.
    """
    if os.path.lexists(path) and not path.is_file():
        kind = "folder" if path.is_dir() else "link to nothing, or no plain file"
        raise ValueError(f"{path} is a {kind}, not a table: rename it, or put a table in its place")
    frame = _read_csv(path, needed) if path.suffix == ".csv" else _read_parquet(path)
    frame.columns = pd.Index([cleaned(str(name)) for name in frame.columns])
    missing = [" or ".join(names) for names in needed if not frame.columns.isin(names).any()]
    if missing:
        there = ", ".join(map(shown, frame.columns[:_MOST_SHOWN]))
        raise ValueError(f"{path} lacks the column {', '.join(missing)}; its columns are {there}")
    _check_spelling(path, frame, columns)
    twice = frame.columns[frame.columns.duplicated() & frame.columns.isin(columns)]
    if len(twice):
        raise ValueError(f"{path} has more than one column {twice[0]}: keep one of them")
    if frame.empty:
        raise ValueError(f"{path} has no row below its header")
    kept = frame[[name for name in columns if name in frame]]
    return kept if path.suffix == ".csv" else _as_text(path, kept)


def _check_spelling(path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a column that is meant for one of those wanted, as far as case and number tell."""
    for name in frame.columns[~frame.columns.isin(columns)]:
        meant = [each for each in columns if name.casefold() in (each, f"{each}s", f"{each}es")]
        if meant:
            raise ValueError(f"{path} has a column {shown(name)}: call it {meant[0]}")


def first_row(wanted: pd.Series[bool]) -> int:
    """Return the number of the first row that is wanted."""
    return int(wanted.index[wanted.to_numpy(dtype=bool)][0])


def _read_csv(path: Path, needed: Sequence[Sequence[str]]) -> pd.DataFrame:
    rows = _rows(path, _text_of(path))
    _, header = next(rows, (0, []))
    for separator, name in _OTHER_SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise ValueError(f"{path} has {name} between its columns: save it with commas")
    least = _fewest(header, needed)
    values = {number: _fitted(path, number, row, least, len(header)) for number, row in rows}
    return pd.DataFrame(values.values(), index=list(values), columns=header)


def _text_of(path: Path) -> str:
    content = path.read_bytes()
    if not content.strip():
        raise ValueError(f"{path} is empty")
    for mark, name in _OTHER_MARKS.items():
        if content.startswith(mark):
            raise ValueError(f"{path} is in {name}, not in UTF-8: {_SAVE}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}: line {line} has the byte 0x{content[error.start]:02x}, which is not UTF-8: "
            f"{_SAVE}"
        ) from error
    if "\0" in text:
        raise ValueError(f"{path} has zero bytes, which no text in UTF-8 has: {_SAVE}")
    return text


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that has a value with its number, the header first with 0."""
    csv.field_size_limit(_LONGEST_VALUE)
    number = 0
    blank = 0  # rows above the header
    try:
        for values in csv.reader(io.StringIO(text, newline=""), strict=True):
            if any(value.strip() for value in values):
                yield number - blank, values
            elif number == blank:
                blank += 1
            number += 1
    except csv.Error as error:
        raise ValueError(
            f"{path}: {_called(number - blank)} cannot be read ({error}): is a quotation mark in it"
            " one too many, or not doubled?"
        ) from error


def _fewest(header: Sequence[str], needed: Sequence[Sequence[str]]) -> int:
    """Return how many values a row has at least, so that it has all that it needs."""
    names = [cleaned(name) for name in header]
    places = [[names.index(name) + 1 for name in each if name in names] for each in needed]
    return max((min(each) for each in places if each), default=0)


def _fitted(path: Path, number: int, values: list[str], least: int, width: int) -> list[str]:
    """Fill up a row with empty values; refuse one that lacks what is needed, or has too many."""
    if len(values) < least:
        raise ValueError(
            f"{path}: {_called(number)} has too few values ({len(values)}, the header has {width} "
            "columns): end it with commas"
        )
    if any(value.strip() for value in values[width:]):
        raise ValueError(
            f"{path}: {_called(number)} has too many values ({len(values)}, the header has {width} "
            "columns): put a value that holds a comma in quotation marks"
        )
    return (values + [""] * width)[:width]


def _called(number: int) -> str:
    return f"row {number}" if number else "the header"


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pd.read_parquet(path)
    except ImportError as error:
        raise ValueError(f"{path} needs the package pyarrow; or save it as CSV") from error
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's own are such
        reason = printable(error, longest=_SHOWN)
        raise ValueError(f"{path} is no Parquet table or is damaged: {reason}") from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()  # columns that pandas keeps apart
    return frame.set_axis(range(1, len(frame) + 1))


def _as_text(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Write values out as text; nothing where there is none."""
    frame = frame.astype(object)
    frame = frame.where(frame.notna(), "")
    for name, values in frame.items():
        wrong = ~values.map(lambda value: isinstance(value, _TEXT_OR_NUMBER))
        if wrong.any():
            row = first_row(wrong)
            raise ValueError(
                f"{path}: row {row} has {shown(values[row])} in column {name}, which is no text, "
                "number or date"
            )
    return frame.map(lambda value: value.isoformat() if isinstance(value, date) else str(value))
