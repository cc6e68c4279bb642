"""What can be named: files of a package, and what others add."""

from __future__ import annotations

import re

import pytest

from crossback_core.data.kind import KINDS
from crossback_core.data.modalities import MODALITIES
from crossback_core.model.body import BODIES
from crossback_core.registry import Registry


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        (KINDS, {"cifar100", "mscoco", "cub", "folder", "icons", "oxford"}),
        (MODALITIES, {"image", "text"}),
        (BODIES, {"perceiver"}),
    ],
)
def test_every_file_holds_what_it_is_named_after(registry: Registry, names: set[str]) -> None:
    assert names <= set(registry.names())
    assert [registry.find(name).name for name in sorted(names)] == sorted(names)


def test_a_name_that_does_not_exist_is_told_with_those_that_do() -> None:
    message = "unknown modality 'images' (did you mean 'image'?); known: image, text"
    with pytest.raises(ValueError, match=re.escape(message)):
        MODALITIES.find("images")


def test_a_name_belongs_to_one_thing() -> None:
    registry: Registry[object] = Registry(
        "modality", package="crossback_core.data.modalities", attribute="MODALITY"
    )
    thing = object()
    registry.add("mine", thing)
    registry.add("mine", thing)
    for taken in ("mine", "image"):
        with pytest.raises(ValueError, match=f"modality '{taken}' exists already"):
            registry.add(taken, object())
