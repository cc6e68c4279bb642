"""One name for a rule, its script, its stage and its log; scripts without logic."""

import ast
import inspect
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {path.stem: path.read_text() for path in (ROOT / "workflow_scripts").glob("*.py")}
DIRECTIVES = ["input", "output", "log", "benchmark", "group", "conda", "threads", "resources"]
DIRECTIVES += ["params", "message", "script"]
OPTIONAL = {"download_file": {"input", "group"}}  # which has none to wait for
SCRIPT = """from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.{theme} import {name}  # a failure is logged

    {name}(**snakemake.input, **snakemake.output{more})
"""


@dataclass(frozen=True)
class Rule:
    """A rule as written: its file, what its script calls, the text of each directive."""

    name: str
    theme: str
    stage: str
    directives: dict[str, str]

    def names(self, directive: str) -> list[str]:
        """Keywords of a directive: `metrics` of `metrics="..."`."""
        text = self.directives.get(directive, "")
        found = re.findall(r"(\w+)=" if directive == "params" else r"^        (\w+)=", text, re.M)
        return found + ["seed"] * ("computed(" in text and "seed" not in found)


def read_rules() -> list[Rule]:
    rules: dict[str, Rule] = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        blocks = re.findall(
            r"^(?:rule|checkpoint|use rule (\w+) as) (\w+)(?: with)?:\n((?:    .*\n|\n)+)",
            path.read_text(),
            re.MULTILINE,
        )
        for base, name, body in blocks:
            inherited = rules[base] if base else Rule("", path.stem, name, {})
            parts = re.split(r"^    (\w+):", body, flags=re.MULTILINE)
            own = dict(zip(parts[1::2], parts[2::2], strict=True))
            rules[name] = Rule(name, inherited.theme, inherited.stage, inherited.directives | own)
    return [rule for rule in rules.values() if rule.name != "study"]  # it only asks for files


RULES = read_rules()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def test_every_script_belongs_to_a_rule() -> None:
    assert SCRIPTS.keys() == {rule.stage for rule in RULES}


@each_rule
def test_directives_come_in_one_order_and_carry_the_name_of_the_rule(rule: Rule) -> None:
    expected = [name for name in DIRECTIVES if name in rule.directives]
    assert list(rule.directives) == expected
    optional = {"params", "group"} | OPTIONAL.get(rule.name, set())
    assert set(DIRECTIVES) - set(rule.directives) <= optional
    assert f'"../workflow_scripts/{rule.stage}.py"' in rule.directives["script"]
    assert f'"logs/{rule.name}/' in rule.directives["log"]
    assert f'"benchmarks/{rule.name}/' in rule.directives["benchmark"]


@each_rule
def test_inputs_outputs_and_params_are_the_arguments_of_the_stage(rule: Rule) -> None:
    given = [name for part in ("input", "output", "params") for name in rule.names(part)]
    given += ["threads"] if "threads=" in SCRIPTS[rule.stage] else []
    stage = getattr(import_module(f"crossback_core.stages.{rule.theme}"), rule.stage)
    assert sorted(given) == sorted(inspect.signature(stage).parameters)


@each_rule
def test_what_determines_numbers_is_listed_for_reruns(rule: Rule) -> None:
    """Snakemake skips settings when it compares params: `computed` says them in words."""
    compared = re.sub(r"computed\(.*?\),\n", "", rule.directives.get("params", ""), flags=re.S)
    uncompared = set(re.findall(r'=setting\("([\w.]+)"\)', compared))
    plain = {"dataset.raw", "preset.pruning.allowed_loss"}
    plain |= {"preset.selection.candidates", "preset.selection.score"}
    assert uncompared <= plain | {"dataset"}  # that in parts, by index_settings and samples_of


@each_rule
def test_a_script_does_nothing_but_call_its_stage(rule: Rule) -> None:
    docstring, _, code = SCRIPTS[rule.stage].partition("\n\n")
    assert docstring.endswith(f'(rule {rule.stage})."""')
    more = ", **snakemake.params" if "params" in rule.directives else ""
    more += ", threads=snakemake.threads" if "threads=" in code else ""
    expected = SCRIPT.format(theme=rule.theme, name=rule.stage, more=more)
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(expected))


def test_the_core_does_not_know_snakemake() -> None:
    for path in (ROOT / "crossback_core").rglob("*.py"):
        imports = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert "snakemake" not in imports, path
