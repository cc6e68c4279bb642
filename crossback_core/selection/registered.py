"""The list of scores: what registers one, and what follows from it.

From a score of a candidate's features two others follow, where it asks for them. `NAME_blocks` is
its mean over the blocks of the body. `NAME_excess` is what is left of it when the same is taken of
the candidate with a shuffled body: it has a zero, above which the candidate knows something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossback_core.selection.view import View

Compute = Callable[["View"], float]
Null = Callable[["View"], Sequence[float]]


@dataclass(frozen=True)
class Score:
    """A registered score.

    Attributes:
        compute: Computes it; higher is better.
        formula: What it is, for the list of all.
        source: Where it is from, for the list of all.
        null: Computes the values that candidates without knowledge have, before their mean was
            taken away from the score; None for a score without a zero.
        variants: Names of the scores that follow from it.
        tells: Whether its sign says that a candidate knows something, if it has a zero.
    """

    compute: Compute
    formula: str
    source: str = ""
    null: Null | None = None
    variants: tuple[str, ...] = ()
    tells: bool = True

    @property
    def has_zero(self) -> bool:
        """Say whether zero is what candidates without knowledge have on average."""
        return self.null is not None

    @property
    def may_decline(self) -> bool:
        """Say whether a candidate that is not above zero may be declined."""
        return self.has_zero and self.tells


SCORES: dict[str, Score] = {}  # in the order of their columns


def score(
    formula: str,
    source: str = "",
    *,
    null: Null | None = None,
    excess: bool = False,
    blocks: bool = False,
    tells: bool = True,
) -> Callable[[Compute], Compute]:
    """Register a score under the name of its function (a decorator).

    Args:
        formula: As of `Score`.
        source: As of `Score`.
        null: As of `Score`.
        excess: Register `NAME_excess` as well.
        blocks: Register `NAME_blocks` as well; the score must need the features of the training
            samples alone.
        tells: As of `Score`, also of what follows from it.
    """

    def register(compute: Compute) -> Compute:
        name = compute.__name__
        own = Score(_once(name, compute), formula, source, null)
        made = {f"{name}_blocks": _over_blocks(name, own)} if blocks else {}
        known = {name: own, **made}
        if excess:
            made |= {f"{each}_excess": _beyond_shuffled(each, known[each], tells) for each in known}
        SCORES[name] = Score(own.compute, formula, source, null, tuple(made))
        SCORES.update(made)
        return compute

    return register


def spread_of(name: str) -> str:
    """Return the column of the standard deviation of a score's null."""
    return f"{name}_spread"


def columns() -> tuple[str, ...]:
    """Return the columns of a table of scores, in their order: each score, and its null's spread.

    Planning a workflow reads them.
    """
    return tuple(
        column
        for name, each in SCORES.items()
        for column in ((name, spread_of(name)) if each.has_zero else (name,))
    )


def measure(view: View) -> dict[str, float]:
    """Compute every column of a candidate."""
    found: dict[str, float] = {}
    for name, each in SCORES.items():
        found[name] = each.compute(view)
        if each.null is not None:
            found[spread_of(name)] = stdev(each.null(view))
    return found


def _once(name: str, compute: Compute) -> Compute:
    return lambda view: view.once(name, compute)


def _over_blocks(name: str, own: Score) -> Score:
    def compute(view: View) -> float:
        return fmean(map(own.compute, view.at_blocks))

    def null(view: View) -> list[float]:
        assert own.null is not None
        return [fmean(each) for each in zip(*map(own.null, view.at_blocks), strict=True)]

    return Score(
        _once(f"{name}_blocks", compute),
        f"the mean of `{name}` over the blocks of the candidate's body",
        null=null if own.null else None,
    )


def _beyond_shuffled(name: str, own: Score, tells: bool) -> Score:
    def null(view: View) -> list[float]:
        return [own.compute(each) for each in view.shuffled]

    def compute(view: View) -> float:
        return own.compute(view) - fmean(null(view))

    formula = f"`{name}` minus its mean over the same candidate with shuffled weights"
    return Score(compute, formula, null=null, tells=tells)
