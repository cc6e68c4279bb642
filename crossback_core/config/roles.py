"""Who does what in a data set: tasks, joint networks, targets, candidates, and their study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from crossback_core.config.experiment import JointTask, SizePlan, StudyPlan, may_serve
from crossback_core.data.names import check_distinct
from crossback_core.section import ALL, COUNT_TEXT, build, refused, unknown
from crossback_core.study.settings import CONTROLS, StudySettings, StudySize


class Roles(NamedTuple):
    """Who does what, with ranges and "all" written out."""

    tasks: tuple[str, ...]
    joint: dict[str, JointTask]
    targets: tuple[str, ...]
    candidates: tuple[str, ...]


def absent(tasks: tuple[str, ...], joint: dict[str, JointTask]) -> Roles:
    """Return the roles of a data set whose folder is not there: whoever asks for it is told."""
    return Roles(tasks, joint if tasks else {}, tasks, (*tasks, *joint) if tasks else ())


def role_problems(path: str, roles: Roles) -> Iterator[str]:
    """Find ids that do not exist, or that cannot be what they are named for."""
    networks = (*roles.tasks, *roles.joint)
    yield from _joint_problems(path, roles)
    try:
        check_distinct(networks)
    except ValueError as error:
        yield f"{path}: {error}"
    for target in missing(roles.targets, roles.tasks):
        yield f"{path}.targets: {unknown('task', target, roles.tasks)}"
    for candidate in missing(roles.candidates, networks):
        yield f"{path}.candidates: {unknown('task or joint id', candidate, networks)}"
    yield from _unserved(f"{path}.candidates", roles.candidates, roles)


def missing(ids: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the first ids that are not known: enough to find the mistake."""
    there = set(known)
    return [id_ for id_ in ids if id_ not in there][:5]


def _joint_problems(path: str, roles: Roles) -> Iterator[str]:
    for network, task in roles.joint.items():
        where = f"{path}.joint.{network}"
        if network in roles.tasks:
            yield f"{where}: is a task's id; a joint network needs an id of its own"
        for target in missing(task.targets or (), roles.tasks):
            yield f"{where}.targets: {unknown('task', target, roles.tasks)}"
        for member in task.tasks:
            if member in roles.joint:
                yield f"{where}.tasks: {member} is joint itself; give single tasks"


def _unserved(where: str, candidates: Sequence[str], roles: Roles) -> Iterator[str]:
    """Find targets that none of some candidates may serve."""
    for target in roles.targets:
        if not any(may_serve(each, target, roles.joint) for each in candidates):
            yield (
                f"{where}: the target {target} has no candidate, as its own network is none, nor"
                " is a joint one that was trained on it or names other targets; add others"
            )


def load_study(
    path: str, values: object, roles: Roles | None, seed: int | None, problems: list[str]
) -> StudySettings | None:
    """Make the study of a data set.

    Args:
        path: Where it stands.
        values: As configured.
        roles: Of the data set; None where they have a problem.
        seed: Of the configuration; None where it has a problem.
        problems: Gets a line for each problem.

    Returns:
        The study; None where there is a problem.
    """
    plan = build(StudyPlan, values, path, problems)
    if plan is None:
        return None
    if seed in plan.seeds:
        own = (
            "it is the experiment's own seed, and a target's network would start from the same"
            " random weights as its candidates"
        )
        problems.append(refused(f"{path}.seeds", seed, own))
    parts = {
        size: _size(f"{path}.sizes", size, part, roles, problems)
        for size, part in plan.sizes.items()
    }
    sizes = {size: part for size, part in parts.items() if part is not None}
    return StudySettings(plan.seeds, sizes) if len(sizes) == len(parts) else None


def _size(
    where: str, size: str, values: object, roles: Roles | None, problems: list[str]
) -> StudySize | None:
    path = f"{where}.{size}"
    before = len(problems)
    if size != ALL and not COUNT_TEXT.fullmatch(size):
        allowed = "it must be a number of training samples per class, or all"
        problems.append(refused(where, size, allowed))
    controls = values.get("controls") if isinstance(values, Mapping) else None
    for control in controls if isinstance(controls, Mapping) else ():
        if control not in CONTROLS:
            problems.append(f"{path}.controls.{control}: {unknown('key', control, CONTROLS)}")
    if len(problems) > before:
        return None
    plan = build(SizePlan, values, path, problems)
    if plan is None or roles is None:
        return None
    own = roles.candidates if plan.candidates is None else plan.candidates
    controlled = {name: own if ids is None else ids for name, ids in plan.controls.items()}
    shuffled = own if plan.shuffled_candidates is None else plan.shuffled_candidates
    lists = {"candidates": (own, roles.candidates), "shuffled_candidates": (shuffled, own)}
    lists |= {f"controls.{name}": (ids, own) for name, ids in controlled.items()}
    for key, (ids, known) in lists.items():
        for candidate in missing(ids, known):
            problems.append(f"{path}.{key}: {unknown('candidate', candidate, known)}")
    problems += _unserved(f"{path}.candidates", own, roles)
    return StudySize(own, controlled, shuffled)
