"""The state of a training that was interrupted: taken up where it fits."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from crossback_core.model.network import Network
from crossback_core.wording import printable

logger = logging.getLogger(__name__)

Row = dict[str, float | int]

_ROW = {"epoch", "loss", "learning_rate", "train_accuracy", "validation_accuracy", "seconds"}


class Resume(Protocol):
    """Where an interrupted training is kept between two runs."""

    def load(self) -> dict[str, Any] | None:
        """Return the state saved last, or None."""

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state."""


class NoResume:
    """Keep nothing: an interrupted training starts again."""

    def load(self) -> dict[str, Any] | None:
        """Return None."""
        return None

    def save(self, state: dict[str, Any]) -> None:
        """Forget the state."""


@dataclass(frozen=True)
class Optimisation:
    """An optimiser with the schedule of its learning rate, stepped once per batch."""

    optimizer: torch.optim.Optimizer
    schedule: LRScheduler

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier state."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def restore(
    resume: Resume,
    network: Network,
    optimisations: Sequence[Optimisation],
    *,
    epochs: int,
    per_epoch: int,
) -> list[Row]:
    """Load an interrupted training in place.

    A state that is none of this training changes nothing: the training starts again, and the log
    says why.

    Args:
        resume: Where the state is.
        network: What is trained, as it starts.
        optimisations: Likewise.
        epochs: Of the whole training.
        per_epoch: Steps of an epoch.

    Returns:
        The rows of the finished epochs.
    """
    state = resume.load()
    if state is None:
        return []
    try:
        rows = _rows(state, epochs)
        _check_alike("network", network.state_dict(), state["network"])
        _check_alike(
            "optimisations", [None] * len(optimisations), [None for _ in state["optimisations"]]
        )
        for optimisation, saved in zip(optimisations, state["optimisations"], strict=True):
            _check_optimisation(optimisation, saved, steps=len(rows) * per_epoch)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        logger.warning(
            "the state that was kept does not fit (%s): starting again", printable(error)
        )
        return []
    network.load_state_dict(state["network"])
    for optimisation, saved in zip(optimisations, state["optimisations"], strict=True):
        optimisation.load_state_dict(saved)
    logger.info("resumed after epoch %d", len(rows))
    return rows


def _rows(state: Mapping[str, Any], epochs: int) -> list[Row]:
    rows: list[Row] = state["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= epochs:
        raise ValueError(f"it has not the rows of 1 to {epochs} epochs")
    for number, row in enumerate(rows, start=1):
        _check_alike(f"row {number}", dict.fromkeys(_ROW, 0.0), row)
        if row["epoch"] != number:
            raise ValueError(f"row {number} is of epoch {row['epoch']}")
    return rows


def _check_optimisation(
    optimisation: Optimisation, saved: Mapping[str, Any], *, steps: int
) -> None:
    """Refuse a state that this optimiser and this schedule never have after so many steps."""
    state = saved["optimizer"]["state"]
    wanted = _after_a_step(optimisation.optimizer)
    # What had no gradient yet has no state.
    present = {key: value for key, value in wanted["state"].items() if key in state}
    _check_alike("optimizer", wanted | {"state": present}, saved["optimizer"])
    _check_alike("schedule", optimisation.schedule.state_dict(), saved["schedule"])
    if saved["schedule"]["last_epoch"] != steps:
        raise ValueError(f"its schedule is not that of {steps} steps")


def _after_a_step(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the state that a copy of an optimiser has after a step."""
    copy = deepcopy(optimizer)
    for group in copy.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    copy.step()
    return copy.state_dict()


def _fits(given: Tensor, wanted: Tensor) -> bool:
    """Say whether a tensor may take another's place; infinite as a mask is only where that is."""
    alike = (given.dtype, given.shape) == (wanted.dtype, wanted.shape)
    return alike and bool(given.isfinite().all() or not wanted.isfinite().all())


def _check_alike(name: str, wanted: Any, given: Any) -> None:
    """Refuse values of another structure: other keys, lengths, types, shapes, or not finite."""
    if isinstance(wanted, Tensor):
        fits = isinstance(given, Tensor) and _fits(given, wanted)
    elif isinstance(wanted, Mapping):
        fits = isinstance(given, Mapping) and given.keys() == wanted.keys()
    elif isinstance(wanted, list | tuple):
        fits = isinstance(given, list | tuple) and len(given) == len(wanted)
    elif type(wanted) in (int, float):
        fits = type(given) in (int, float) and math.isfinite(given)
    else:
        fits = type(given) is type(wanted)
    if not fits:
        raise ValueError(f"{name} is another")
    if isinstance(wanted, Mapping):
        for key in wanted:
            _check_alike(f"{name}.{key}", wanted[key], given[key])
    elif isinstance(wanted, list | tuple):
        for number, (each, other) in enumerate(zip(wanted, given, strict=True)):
            _check_alike(f"{name}.{number}", each, other)
