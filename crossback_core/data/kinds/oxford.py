"""Reader of Oxford-102 flowers (Nilsback and Zisserman, 2008), captions of Reed et al. (2016).

The folder holds jpg/ (of 102flowers.tgz), imagelabels.mat and cvpr2016_flowers/text_c10/. Classes
have numbers only; six groups of four are fixed. The published setid.mat is not used: a fifth of
each class, rounded up, is drawn for the test with the published seed 42, whatever the seed of the
configuration. As published, all the rest trains; here validation is taken out of it. An image and
its caption share a split.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.kind import check_published, spread
from crossback_core.data.paired import (
    chosen_groups,
    draw_test,
    paired_kind,
    rows_of_both_modalities,
)
from crossback_core.data.settings import (
    ClassesPerGroup,
    PairedSettings,
    SamplesPerClass,
    groups_up_to,
)
from crossback_core.data.sources import RemoteFile, drive_file
from crossback_core.section import STRICT, WHOLE
from crossback_core.storage.files import existing

IMAGES = "jpg"
LABELS = "imagelabels.mat"
CAPTIONS = "cvpr2016_flowers/text_c10"

GROUPS = (
    (51, 72, 82, 60),
    (77, 65, 58, 56),
    (46, 74, 37, 80),
    (73, 41, 83, 95),
    (89, 81, 75, 76),
    (94, 88, 78, 43),
)
_TRAIN = [458, 459, 462, 462, 460, 465]  # published samples of each group
_TEST = [117, 117, 118, 118, 117, 118]
_PUBLISHED_TEST_FRACTION = 0.2

_PAGE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
FILES = (
    RemoteFile(
        name="102flowers.tgz",
        url=f"{_PAGE}102flowers.tgz",
        page=_PAGE,
        checksum="md5:52808999861908f626f3c1f4e79d11fa",
    ),
    RemoteFile(
        name="imagelabels.mat",
        url=f"{_PAGE}imagelabels.mat",
        page=_PAGE,
        checksum="md5:e0620be6f572b9609742df49c70aed4d",
    ),
    drive_file(
        "cvpr2016_flowers.tar.gz", "0B0ywwgffWnLLcms2WWJQRFNSWXM", "0-Av8zFbeDDvNcF1sSjDR32w"
    ),
)


@dataclass(frozen=True, config=STRICT)
class OxfordSettings(PairedSettings):
    """Flowers: tasks 1-6 photographs, 7-12 captions of the same four classes each."""

    groups: Annotated[int, groups_up_to(len(GROUPS)), WHOLE] = 6
    classes_per_group: ClassesPerGroup = 4
    samples_per_class: SamplesPerClass = 0


def read_index(raw: Path, settings: OxfordSettings) -> pd.DataFrame:
    """List images and captions of the groups: tasks 1 to 6 images, 7 to 12 captions.

    Fewer `groups` are the first ones, fewer `classes_per_group` the first of each; of more than
    `samples_per_class` images as many are taken, evenly spread.

    Raises:
        FileNotFoundError: If imagelabels.mat is missing.
        ValueError: If it is damaged, or a class has no image.
    """
    labels = _read_labels(raw / LABELS)
    groups = chosen_groups(GROUPS, settings)
    rows = []
    for task, group in enumerate(groups, 1):
        for label in group:
            rows += _class_rows(labels, label, task, settings)
    instances = pd.DataFrame(rows, columns=["task", "class", "name", "image", "text", "part"])
    if (settings.groups, settings.classes_per_group, settings.samples_per_class) == (6, 4, 0):
        _check_counts(instances, settings.test_fraction)
    return rows_of_both_modalities(instances, raw, groups=len(groups))


def _read_labels(path: Path) -> npt.NDArray[np.int64]:
    """Read the class of each image, in the order of their numbers."""
    from scipy.io import loadmat  # here: half a second that no other data set needs

    existing(path)
    try:
        labels = np.asarray(loadmat(path, variable_names=["labels"])["labels"])
    except Exception as error:  # scipy raises whatever it trips over in a damaged file
        raise ValueError(
            f"{path} is not a MATLAB file with labels or is damaged: {error}"
        ) from error
    if labels.ndim != 2 or len(labels) != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: labels are {labels.dtype} of {labels.shape}, not integers (1, any)"
        )
    return np.asarray(labels[0], dtype=np.int64)


def _class_rows(
    labels: npt.NDArray[np.int64], label: int, task: int, settings: OxfordSettings
) -> list[tuple[int, str, str, str, str, str]]:
    numbers = spread(np.flatnonzero(labels == label) + 1, settings.samples_per_class)
    if len(numbers) == 0:
        raise ValueError(f"{LABELS} has no image of class {label}")
    test = draw_test(numbers, settings.test_fraction, stream=label)
    name = f"class_{label:05}"
    return [
        (
            task,
            name,
            f"{name}/image_{number:05}",
            f"{IMAGES}/image_{number:05}.jpg",
            f"{CAPTIONS}/{name}/image_{number:05}.txt",
            "test" if number in test else "",
        )
        for number in numbers
    ]


def _check_counts(instances: pd.DataFrame, test_fraction: float) -> None:
    """Compare what is there with the published counts."""
    totals = Counter(instances["task"])
    published = [train + test for train, test in zip(_TRAIN, _TEST, strict=True)]
    check_published(
        "Oxford-102 samples of each group", [totals[task] for task in range(1, 7)], published
    )
    if test_fraction == _PUBLISHED_TEST_FRACTION:
        tests = Counter(instances[instances["part"] == "test"]["task"])
        check_published("Oxford-102 test samples", [tests[task] for task in range(1, 7)], _TEST)


KIND = paired_kind("oxford", settings=OxfordSettings, index=read_index, files=FILES)
