"""Recipes as task files and checkpoints store them: an array once, however many tasks have it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from crossback_core.data.modalities import MODALITIES
from crossback_core.data.recipe import Recipe
from crossback_core.section import shown
from crossback_core.storage.archive import entry
from crossback_core.storage.files import decoded
from crossback_core.wording import counted

_TYPES = (torch.uint8, torch.float16)
_PARTS = {"values", "arrays"}


def pack_recipes(recipes: Iterable[Recipe | None]) -> dict[str, Any]:
    """Return the recipe of each task, its values as JSON, its arrays by their places."""
    stored: list[Tensor] = []
    tasks = [None if each is None else _packed(each, stored) for each in recipes]
    return {"tasks": tasks, "arrays": stored}


def unpack_recipes(packed: dict[str, Any], *, read: Iterable[tuple[str, int]]) -> list[Any]:
    """Return what `pack_recipes` was given.

    Args:
        packed: What it returned.
        read: Modality and channels of each task.

    Raises:
        ValueError: It is nothing that `pack_recipes` returns, or a recipe is none of its modality.
    """
    tasks = entry(packed, "tasks", list)
    stored = entry(packed, "arrays", list)
    kinds = list(read)
    if extra := packed.keys() - {"tasks", "arrays"}:
        raise ValueError(f"unknown entries of recipes: {shown(sorted(map(str, extra)))}")
    if len(tasks) != len(kinds):
        of = counted(len(tasks), "task")
        raise ValueError(f"recipes of {of} for {counted(len(kinds), 'task')}")
    for number, array in enumerate(stored):
        if not isinstance(array, Tensor) or array.dtype not in _TYPES:
            raise ValueError(f"recipes.arrays.{number} is no array of bytes or float16")
    arrays = [tensor.contiguous().numpy() for tensor in stored]
    found = [
        None if each is None else _recipe(each, arrays, f"recipes.tasks.{number}")
        for number, each in enumerate(tasks)
    ]
    for recipe, (modality, channels) in zip(found, kinds, strict=True):
        if recipe is not None:
            MODALITIES.find(modality).reader(recipe, channels)
    used = {place for each in tasks if each is not None for place in each["arrays"].values()}
    if used != set(range(len(stored))):
        raise ValueError(f"recipes have {len(stored)} arrays, of which {len(used)} are used")
    return found


def _packed(recipe: Recipe, stored: list[Tensor]) -> dict[str, Any]:
    places = {name: _place(torch.from_numpy(it), stored) for name, it in recipe.arrays.items()}
    return {"values": json.dumps(recipe.values, allow_nan=False), "arrays": places}


def _place(array: Tensor, stored: list[Tensor]) -> int:
    """Return where an array is stored, beside those that are."""
    for place, other in enumerate(stored):
        if array.dtype == other.dtype and torch.equal(array, other):
            return place
    stored.append(array)
    return len(stored) - 1


def _recipe(packed: Any, arrays: list[Any], name: str) -> Recipe:
    if not isinstance(packed, dict) or packed.keys() != _PARTS:
        raise ValueError(f"{name} is not of {' and '.join(sorted(_PARTS))}")
    try:
        values = decoded(entry(packed, "values", str))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from error
    places = entry(packed, "arrays", dict)
    for key, place in places.items():
        if not isinstance(key, str) or type(place) is not int or not 0 <= place < len(arrays):
            raise ValueError(f"{name}: {shown(key)} is none of the {len(arrays)} arrays")
    return Recipe(
        entry({"values": values}, "values", dict),
        {name: arrays[place] for name, place in places.items()},
    )
