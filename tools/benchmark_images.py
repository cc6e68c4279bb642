"""Print how many pictures per second the preparation of a data set decodes.

python tools/benchmark_images.py                       # generated photographs, 500 x 375 JPEG
python tools/benchmark_images.py FOLDER --size 64 --threads 1 4
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from crossback_core.data.images import Unreadable, read_picture_files
from crossback_core.data.kinds.folder import FolderSettings

GENERATED = 400


def generate(folder: Path) -> None:
    """Write pictures of the size of CUB's: smooth shapes and noise, like photographs."""
    random = np.random.default_rng(0)
    for number in range(GENERATED):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), dtype=np.int16)
        pixels = (smooth + random.integers(-8, 9, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=90)


def measure(folder: Path, sizes: Sequence[int], threads: Sequence[int]) -> None:
    """Read all pictures of a folder once for each size and number of threads."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jp*g"))
    for size in sizes:
        for count in threads:
            started = time.perf_counter()
            items = read_picture_files(
                folder,
                files,
                FolderSettings(kind="folder", raw=str(folder), image_size=size),
                threads=count,
            )
            seconds = time.perf_counter() - started
            bad = sum(isinstance(item, Unreadable) for item in items)
            print(
                f"{size:>4} pixels, {count} thread{'s' if count > 1 else ' '}: "
                f"{len(files) / seconds:6.0f} pictures per second "
                f"({len(files)} read, {bad} skipped)"
            )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="of JPEG files; default: generated")
    parser.add_argument("--size", nargs="+", type=int, default=[32, 64, 224])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    arguments = parser.parse_args()
    if arguments.folder is not None:
        measure(arguments.folder, arguments.size, arguments.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        measure(Path(folder), arguments.size, arguments.threads)


if __name__ == "__main__":
    main()
