"""One name for a rule, its script, its stage and its log; scripts without logic."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from snakemake.api import SnakemakeApi
from snakemake.rules import Rule
from snakemake.settings.types import ResourceSettings

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {path.stem: path.read_text() for path in (ROOT / "workflow_scripts").glob("*.py")}
DIRECTIVES = ["input", "output", "log", "benchmark", "conda", "threads", "resources"]
DIRECTIVES += ["params", "message", "script"]
UNCOMPARED = {"dataset", "resume", "levels"}  # params that determine no result, or
UNCOMPARED |= {"task", "target", "start"}  # that a path tells as well
SCRIPT = """from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
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
        assert named.keys() - told <= UNCOMPARED
    else:
        assert "seed" not in named
        assert named.keys() <= {"source", "sources", "joint", "ids", "ladders"}  # plain values


@each_rule
def test_a_script_does_nothing_but_call_its_stage(rule: Rule) -> None:
    docstring, _, code = SCRIPTS[stage_of(rule)].partition("\n\n")
    assert docstring.endswith(f'(rule {stage_of(rule)})."""')
    more = ", **snakemake.params" if rule.params else ""
    more += ", threads=snakemake.threads" if "threads=" in code else ""
    more += ", device=snakemake.resources.device" if "device=" in code else ""
    expected = SCRIPT.format(theme=theme_of(rule), name=stage_of(rule), more=more)
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(expected))


def test_the_core_does_not_know_snakemake() -> None:
    for path in (ROOT / "crossback_core").rglob("*.py"):
        imports = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert "snakemake" not in imports, path
