"""What the rules ask for and how the profile groups them; needs no Slurm."""

import re
from collections import Counter
from pathlib import Path

import pytest
from slurm_records import slurm_project
from snakemake.rules import Rule
from test_rules import each_rule


@each_rule
def test_who_trains_asks_for_a_gpu(rule: Rule) -> None:
    assert ("device" in rule.resources) == ("gpu" in rule.resources)


@each_rule
def test_a_job_says_its_memory_and_time_and_is_tried_again_with_more(rule: Rule) -> None:
    for name in ("mem_mb", "runtime"):
        asked = [
            rule.resources[name].evaluate({}, input=None, attempt=attempt, rulename=rule.name).value
            for attempt in (1, 2, 3)
        ]
        assert asked == [asked[0], 2 * asked[0], 3 * asked[0]] and asked[0] > 0


@pytest.mark.slow
def test_the_profile_is_found_and_rules_that_follow_each_other_share_a_job(tmp_path: Path) -> None:
    project = slurm_project(tmp_path, "--configfile", "tests/tiny.yaml")
    planned = project.snakemake("--dry-run")
    assert planned.code == 0
    assert "Using profiles slurm and workflow specific profile profiles/default" in planned.output
    groups = re.findall(r"Group job (\w+) .*\n\n((?: {4}.*\n)+)", planned.output)
    wanted = [("baseline", task) for task in ("1", "3", "19", "101")]
    wanted += [("similarity", target) for target in ("3", "19")]
    found = Counter(
        (name, id_)
        for name, group in groups
        for id_ in set(re.findall(r"Job \d+: .* (?:task|target) (\w+)(?: \(.+\))? of", group))
        if group.count("Job ") == 2
    )
    assert found == Counter(wanted)
