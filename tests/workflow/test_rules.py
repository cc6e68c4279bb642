"""One name for a rule, its script, its stage and its log; scripts without logic."""

import ast
import inspect
import re
import zlib
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Semaphore
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.rules import Rule
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import ResourceSettings

from crossback_core import NUMERICS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {path.stem: path.read_text() for path in (ROOT / "workflow_scripts").glob("*.py")}
DIRECTIVES = ["input", "output", "log", "benchmark", "conda", "threads", "resources"]
DIRECTIVES += ["params", "message", "script"]
UNCOMPARED = {"dataset", "resume", "levels"}  # params that determine no result, or
UNCOMPARED |= {"task", "target", "start", "fold"}  # that a path tells as well, or
SCRIPT = """from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]{tracked}):
    from crossback_core.stages.{theme} import {name}  # a failure is logged

    {name}(**snakemake.input, **snakemake.output{more})
"""


def read_rules() -> list[Rule]:
    with SnakemakeApi() as api:
        workflow = api.workflow(ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")
        return [rule for rule in workflow._workflow.rules if rule.script]


RULES = read_rules()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def stage_of(rule: Rule) -> str:
    return Path(rule.script).stem


def theme_of(rule: Rule) -> str:
    return Path(rule.snakefile).stem if stage_of(rule) == rule.name else _themes[stage_of(rule)]


_themes = {rule.name: Path(rule.snakefile).stem for rule in RULES}


def test_every_script_belongs_to_a_rule() -> None:
    assert SCRIPTS.keys() == {stage_of(rule) for rule in RULES}


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.smk")), ids=lambda path: path.stem)
def test_directives_come_in_one_order(path: Path) -> None:
    for rule in re.split(r"^(?:rule|checkpoint|use rule) ", path.read_text(), flags=re.M)[1:]:
        found = re.findall(r"^    (\w+):", rule, re.MULTILINE)
        assert found == sorted(found, key=[*DIRECTIVES, "default_target"].index)


@each_rule
def test_logs_and_benchmarks_carry_the_name_of_the_rule(rule: Rule) -> None:
    assert [str(log).split("/")[:2] for log in rule.log] == [["logs", rule.name]]
    assert str(rule.benchmark).split("/")[:2] == ["benchmarks", rule.name]
    assert rule.message and rule.conda_env


@each_rule
def test_inputs_outputs_and_params_are_the_arguments_of_the_stage(rule: Rule) -> None:
    given = [*rule.input.keys(), *rule.output.keys(), *rule.params.keys()]
    given += [name for name in ("threads", "device") if f"{name}=" in SCRIPTS[stage_of(rule)]]
    stage = getattr(import_module(f"crossback_core.stages.{theme_of(rule)}"), stage_of(rule))
    assert sorted(given) == sorted(inspect.signature(stage).parameters)


@each_rule
def test_all_that_determines_a_result_is_in_the_text_that_it_reruns_by(rule: Rule) -> None:
    named = dict(rule.params.items())
    unnamed = [each for each in rule.params if all(each is not value for value in named.values())]
    if unnamed:
        (rerun_by,) = unnamed
        closure = dict(zip(rerun_by.__code__.co_freevars, rerun_by.__closure__, strict=True))
        told = {"seed", *closure["passed"].cell_contents}
        if stage_of(rule) == "prepare_task":
            told.add("joint")  # which names the network: another name makes none again
        assert named.keys() - told <= UNCOMPARED
    else:
        assert "seed" not in named
        plain = {"source", "sources", "ids", "ladders", "joint"}
        assert named.keys() - UNCOMPARED <= plain


@each_rule
def test_a_script_does_nothing_but_call_its_stage(rule: Rule) -> None:
    docstring, _, code = SCRIPTS[stage_of(rule)].partition("\n\n")
    assert docstring.endswith(f'(rule {stage_of(rule)})."""')
    more = ", **snakemake.params" if rule.params else ""
    more += ", threads=snakemake.threads" if "threads=" in code else ""
    more += ", device=snakemake.resources.device" if "device=" in code else ""
    # what trains has a device, and a tracker
    tracked = ", tracker=snakemake.resources.tracker" if "device=" in code else ""
    expected = SCRIPT.format(theme=theme_of(rule), name=stage_of(rule), more=more, tracked=tracked)
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(expected))


# what a job is given, by the configuration as shipped

JOB = {"dataset": "icons_study", "size": "10", "seed": "11", "target": "2"}
JOB |= {"task": "102", "start": "backbone", "repeat": "2", "fold": "1", "trial": "repeat_2"}
LASTING = [rule for rule in RULES if len(rule.params) > len(rule.params.keys())]
SHARED = next(filter(callable, LASTING[0].params)).__globals__  # the names that all rules see


def given(name: str, **other: str) -> dict[str, Any]:
    """Return a job's params; under the empty name is the text that it reruns by."""
    params = next(rule.params for rule in LASTING if rule.name == name)
    job = Wildcards(fromdict=JOB | other)
    contents = {"contents_of": _as_told, "encoder_contents": _as_told}
    with patch.dict(SHARED, contents):
        named = {"": params[0], **dict(params.items())}
        return {key: it(job) if callable(it) else it for key, it in named.items()}


def _as_told(dataset: object, what: object, memory: Path) -> str:
    """Stand for a digest of raw data."""
    return f"<{what}>"


def test_targets_alone_have_fewer_samples() -> None:
    jobs = [given("prepare_task", dataset="icons", task=task) for task in ("3", "6", "101")]
    jobs += [given("prepare_study_task", size=size) for size in ("10", "all")]
    assert [job["train_per_class"] for job in jobs] == [10, None, None, 10, None]


def test_joint_networks_that_are_none_for_a_target_are_not_scored_for_it() -> None:
    for rule in ("measure_similarity", "score_study_candidates"):
        assert given(rule)["excluded"] == ("103", "104")


def test_trainings_of_a_study_differ_in_nothing_but_what_is_compared() -> None:
    rules = ("train_study_baseline", "train_longer_baseline", "train_pair")
    short, longer, pair = (given(rule) for rule in rules)
    training = short["training"]
    twice = {name: 2 * getattr(training, name) for name in ("epochs", "min_steps")}
    assert longer["training"] == replace(training, **twice) and training.min_steps
    assert (pair["training"], pair["target"].max_width) == (training, 1.0)
    more = ("prepare_study_task", "score_study_candidates")
    assert {given(rule)["seed"] for rule in (*rules, *more)} == {11}


def test_trials_differ_from_the_target_in_their_seed_alone() -> None:
    """Each has one of its own, which draws its samples and trains both of its networks."""
    of_target = given("train_target", dataset="icons")
    for trial in ("repeat_2", "repeat_3", "fold_1"):
        job = {"dataset": "icons", "trial": trial}
        pair, baseline = (given(rule, **job) for rule in ("train_trial", "train_trial_baseline"))
        assert pair["target"] == of_target["target"].training
        assert pair["training"] == baseline["training"] == of_target["training"]
        assert pair["seed"] == baseline["seed"] == zlib.crc32(f"2 {trial}".encode())
    drawn = given("prepare_repeat", dataset="icons", target="3")
    assert (drawn["seed"], drawn["train_per_class"]) == (zlib.crc32(b"2 repeat_2"), 10)
    assert given("hold_out_fold", dataset="icons")["seed"] == 2  # one deal for all parts


@pytest.mark.parametrize("rule", LASTING, ids=lambda rule: rule.name)
def test_what_lasts_is_made_again_by_other_numbers_seeds_and_processors(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = given(rule.name)
    assert job[""].startswith(f"numerics {NUMERICS}, checkpoints ")
    assert f"seed {job.get('seed')}" in job[""].splitlines()
    other = "CPU" if SHARED["has_gpu"]() else "GPU"
    monkeypatch.setitem(SHARED, "has_gpu", lambda: other == "GPU")
    assert (f"'{other}'" in given(rule.name)[""].splitlines()) == ("gpu" in rule.resources)


def test_data_are_made_again_by_what_they_are_made_of() -> None:
    """Each member's samples, and the encoder that texts among them are read with."""
    joint = [f"<{task}>" for task in (15, 16, 17, 19, 21, 23, 25, 26, 27, *range(39, 48))]
    wanted = {"prepare_index": ["<102>"], "prepare_task": [*joint, "<('image', 'text')>"]}
    for rule, contents in wanted.items():
        assert re.findall("<[^>]*>", given(rule)[""]) == contents


@each_rule
def test_another_attempt_asks_for_more(rule: Rule) -> None:
    for name in ("mem_mb", "runtime"):
        wanted = rule.resources[name]
        once, again = (wanted.evaluate(Wildcards(), attempt=attempt).value for attempt in (1, 2))
        assert again == 2 * once > 0


def test_the_core_does_not_know_snakemake() -> None:
    for path in (ROOT / "crossback_core").rglob("*.py"):
        imports = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert "snakemake" not in imports, path


def test_looks_of_the_scheduler_do_not_add_up() -> None:
    """Five asked for while one waits are one; the next one comes all the same."""
    scheduler = SimpleNamespace(_open_jobs=Semaphore(0))
    for _ in range(5):
        JobScheduler._schedule_reevalutation(scheduler, 0.01)
    assert scheduler._open_jobs.acquire(timeout=60)
    assert not scheduler._open_jobs.acquire(timeout=0.2)
    JobScheduler._schedule_reevalutation(scheduler, 0.01)
    assert scheduler._open_jobs.acquire(timeout=60)
