"""The files of data/icons, and the comparison of two builds."""

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from icons_builder.classes import ClassList
from icons_builder.pictures import SIZE, Picture, Pixels
from icons_builder.sources import sha256_of

TILES_A_ROW = 10
CHECKSUMS = "SHA256SUMS"
EMBEDDINGS = "embeddings.npy"
TOLERANCE = 0.02  # largest difference of an embedding value between two machines


def sheet_of(pictures: Sequence[Picture]) -> Pixels:
    """All pictures of a class side by side, row by row, the rest white."""
    rows = -(-len(pictures) // TILES_A_ROW)
    sheet = np.full((rows * SIZE, TILES_A_ROW * SIZE, 3), 255, dtype=np.uint8)
    for tile, picture in enumerate(pictures):
        top, left = (SIZE * place for place in divmod(tile, TILES_A_ROW))
        sheet[top : top + SIZE, left : left + SIZE] = picture.pixels
    return sheet


def write_sheet(pictures: Sequence[Picture], path: Path) -> None:
    """Write a class's sheet as PNG of at most 256 colours, which halves the data set.

    The palette by maximum coverage bounds the error: no value moves by more than about 18 of 255.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray(sheet_of(pictures))
    palette = sheet.quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a header and Unix line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def write_tasks(classes: ClassList, path: Path) -> None:
    """Write the list of tasks."""
    tasks = [
        {
            "task": task.task,
            "name": task.name,
            "modality": task.modality,
            "classes": [entry.name for entry in task.classes],
        }
        for task in classes.tasks
    ]
    text = yaml.safe_dump(tasks, sort_keys=False, default_flow_style=None, width=120)
    path.write_text(text, encoding="utf-8")


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of every other file of a folder."""
    files = [path for path in files_of(folder) if path != CHECKSUMS]
    lines = [f"{sha256_of(folder / path)}  {path}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def files_of(folder: Path) -> list[str]:
    """Relative paths of all files of a folder, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def replace_folder(built: Path, target: Path) -> None:
    """Put a finished build in a folder's place."""
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(built, target)


def differences(built: Path, committed: Path) -> list[str]:
    """Return what is not the same in two builds.

    Files are compared byte for byte, but for the embeddings: principal components differ in the
    last bits from one linear algebra library to another, so their values may differ a little, and
    so may the line of their checksum.

    Args:
        built: One build.
        committed: The other.

    Returns:
        One line a difference.
    """
    here, there = set(files_of(built)), set(files_of(committed))
    lines = [f"only in the new build: {path}" for path in sorted(here - there)]
    lines += [f"not in the new build: {path}" for path in sorted(there - here)]
    for path in sorted(here & there):
        if not _same(built / path, committed / path):
            lines.append(f"differs: {path}")
    return lines


def _same(first: Path, second: Path) -> bool:
    if first.name == EMBEDDINGS:
        return _same_table(first, second)
    if first.name == CHECKSUMS:
        return _lines_but_embeddings(first) == _lines_but_embeddings(second)
    return first.read_bytes() == second.read_bytes()


def _same_table(first: Path, second: Path) -> bool:
    one, two = np.load(first), np.load(second)
    return (
        one.shape == two.shape
        and one.dtype == two.dtype
        and bool(np.allclose(one.astype(np.float32), two.astype(np.float32), atol=TOLERANCE))
    )


def _lines_but_embeddings(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.endswith(f"  {EMBEDDINGS}")]
