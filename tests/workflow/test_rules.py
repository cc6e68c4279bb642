"""One name for a rule, its script, its stage and its log; scripts without logic."""

import ast
import inspect
import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from crossback_core import stages
from crossback_core.study import stages as study_stages

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "workflow_scripts").glob("*.py"))
DIRECTIVES = ["input", "output", "log", "benchmark", "group", "conda", "threads"] + [
    "resources",
    "params",
    "message",
    "script",
]
THREADED = {"prepare_task"}  # whose stages are told how many threads their job has


@dataclass(frozen=True)
class Rule:
    """A rule as written: its directives, each with its text; `stage` is what its script calls."""

    name: str
    stage: str
    directives: dict[str, str]

    def names(self, directive: str) -> list[str]:
        """Keywords of a directive: `metrics` of `metrics="..."`."""
        return re.findall(r"^        (\w+)=", self.directives.get(directive, ""), re.MULTILINE)


def read_rules() -> list[Rule]:
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.findall(
        r"^(?:rule|checkpoint|use rule (\w+) as) (\w+)(?: with)?:\n((?:    .*\n|\n)+)",
        text,
        re.MULTILINE,
    )
    rules: dict[str, Rule] = {}
    for base, name, body in blocks:
        inherited = rules[base] if base else Rule("", name, {})
        rules[name] = Rule(name, inherited.stage, inherited.directives | _directives(body))
    return [rule for rule in rules.values() if rule.name != "study"]  # it only asks for files


def _directives(body: str) -> dict[str, str]:
    parts = re.split(r"^    (\w+):", body, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


RULES = read_rules()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def module_of(stage: str) -> ModuleType:
    """The module that a stage is in."""
    return stages if hasattr(stages, stage) else study_stages


def test_every_script_belongs_to_a_rule() -> None:
    assert [path.stem for path in SCRIPTS] == sorted({rule.stage for rule in RULES})


@each_rule
def test_directives_come_in_one_order(rule: Rule) -> None:
    expected = [name for name in DIRECTIVES if name in rule.directives]
    assert list(rule.directives) == expected
    optional = {"params", "group"} | ({"input"} if rule.name == "download_file" else set())
    assert set(DIRECTIVES) - set(rule.directives) <= optional


@each_rule
def test_script_log_and_benchmark_carry_the_name_of_the_rule(rule: Rule) -> None:
    assert f'"../workflow_scripts/{rule.stage}.py"' in rule.directives["script"]
    assert f'"logs/{rule.name}/' in rule.directives["log"]
    assert f'"benchmarks/{rule.name}/' in rule.directives["benchmark"]


@each_rule
def test_inputs_outputs_and_params_are_the_arguments_of_the_stage(rule: Rule) -> None:
    given = [name for part in ("input", "output", "params") for name in rule.names(part)]
    given += ["threads"] if rule.stage in THREADED else []
    stage = getattr(module_of(rule.stage), rule.stage)
    assert sorted(given) == sorted(inspect.signature(stage).parameters)


@each_rule
def test_settings_that_snakemake_cannot_compare_are_listed_for_reruns(rule: Rule) -> None:
    params = rule.directives.get("params", "")
    listed = re.findall(r'"([\w.]+)"', "".join(re.findall(r"rerun_on\((.*)\)", params)))
    used = re.findall(r'=setting\("([\w.]+)"\)', params)
    plain = {"dataset.raw", "preset.pruning.allowed_loss"}
    plain |= {"preset.selection.candidates", "preset.selection.score"}
    plain |= {"dataset"}  # in parts, by index_settings and samples_of
    assert set(used) - set(listed) <= plain
    assert set(listed) <= set(used)


@each_rule
def test_a_rule_that_computes_numbers_reruns_with_their_version(rule: Rule) -> None:
    seeded = "seed" in rule.names("params")
    assert seeded == ("version" in rule.names("params")) == ("rerun_on(" in str(rule.directives))


@each_script
def test_a_script_holds_no_logic(script: Path) -> None:
    text = script.read_text()
    logic = ast.If | ast.For | ast.While | ast.FunctionDef | ast.ClassDef | ast.Try | ast.Lambda
    assert len(text.splitlines()) < 40
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, logic)]
    assert f"(rule {script.stem})" in text.splitlines()[0]


@each_script
def test_a_script_passes_everything_to_its_stage(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: dict[str, object] = {}
    monkeypatch.setattr(
        module_of(script.stem), script.stem, lambda **arguments: received.update(arguments)
    )
    rule = next(rule for rule in RULES if rule.name == script.stem)
    fake = SimpleNamespace(
        log=[str(tmp_path / "log")],
        **{part: {n: f"{part} {n}" for n in rule.names(part)} for part in ("input", "output")},
        params={name: f"params {name}" for name in rule.names("params")},
        threads=3,
    )
    runpy.run_path(str(script), init_globals={"snakemake": fake})
    threads = {"threads": 3} if script.stem in THREADED else {}
    assert received == {**fake.input, **fake.output, **fake.params, **threads}


@each_script
def test_an_error_ends_a_script_and_is_in_its_log(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**arguments: object) -> None:
        raise ValueError("task 3 is damaged")

    monkeypatch.setattr(module_of(script.stem), script.stem, fail)
    nothing: dict[str, object] = {}
    fake = SimpleNamespace(
        log=[str(tmp_path / "log")], input=nothing, output=nothing, params=nothing, threads=1
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), init_globals={"snakemake": fake})
    assert ended.value.code == 1
    assert "task 3 is damaged" in (tmp_path / "log").read_text()
    assert "task 3 is damaged" in capsys.readouterr().err


def test_the_core_does_not_know_snakemake() -> None:
    for path in (ROOT / "crossback_core").rglob("*.py"):
        imports = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert "snakemake" not in imports, path


def test_the_snakefile_is_short() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 40
