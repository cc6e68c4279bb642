"""The summary table, its text and the HTML report."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import recorded

from crossback_core.learning.verdict import Gain
from crossback_core.records import EarlierTask
from crossback_core.report.figures import PruningCurve, TrainingCurve
from crossback_core.report.page import ReportInputs, write_report
from crossback_core.report.table import (
    as_text,
    format_table,
    readable,
    stacks_sentence,
    summary_table,
    tasks_sentence,
    verdict_sentence,
)

KEPT = recorded.kept("5")
JOINT = {"29": "fifty kinds of icons", "30": "many glosses"}


def curve(epochs=5):
    """Return a training that starts its epochs again, as one that grew does."""
    return pd.DataFrame(
        {
            "epoch": [*range(1, epochs + 1)] * 2,
            "loss": np.linspace(1.6, 0.1, 2 * epochs),
            "learning_rate": 1e-3,
            "validation_accuracy": np.linspace(0.2, 0.7, 2 * epochs),
            "seconds": 0.1,
        }
    )


def inputs(**changes):
    """Return inputs of two targets, three candidates, one ladder and two trainings."""
    matrix = pd.DataFrame(
        {
            "target": ["3", "3", "3", "5", "5"],
            "target_modality": "image",
            "candidate": ["5", "16", "29", "16", "29"],
            "modality": ["image", "text", "image", "text", "image"],
            "similarity": [0.8, 0.9, 0.97, 0.7, 0.75],
            "selected": [False, False, True, False, True],
        }
    )
    levels = pd.DataFrame(
        {
            "sparsity": [0.9, 0.0, 0.7],  # in no order
            "validation_accuracy": [0.6, 0.78, 0.76],
            "test_accuracy": [0.6, 0.77, 0.74],
        }
    )
    values = {
        "dataset": "icons",
        "records": [KEPT, recorded.target("3")],
        "matrix": matrix,
        "stacks": [recorded.stacking("3")],
        "pruning": {"29": PruningCurve(levels, baseline=0.78, allowed_loss=0.03, chosen=0.7)},
        "histories": {
            "target 3": TrainingCurve(curve(), 0.6),
            "baseline 3": TrainingCurve(curve()),
        },
    }
    values |= changes
    return ReportInputs(summary=summary_table(values["records"]), joint=JOINT, **values)


class Elements(HTMLParser):
    """Collects the start tags of a page."""

    def __init__(self, page):
        """Read the page."""
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Keep a start tag with its attributes."""
        self.tags.append((tag, dict(attrs)))

    def of(self, name):
        """Return the attributes of every element of that name."""
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def page(tmp_path):
    """Return the text of a report."""
    write_report(inputs(), tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_targets_come_in_the_order_of_ids():
    ids = ("text-pans", "10", "image-animals", "9", "100")
    frame = summary_table([recorded.target(id_) for id_ in ids])
    assert frame["target"].tolist() == ["9", "10", "100", "image-animals", "text-pans"]


def test_a_target_becomes_a_row():
    frame = summary_table([KEPT, recorded.target("3")])
    assert frame["target"].tolist() == ["3", "5"]
    row = frame.iloc[0]
    assert (row["backbone"], row["backbone_modality"], row["identical"]) == ("29", "image", True)
    assert row["gain"] == pytest.approx(0.05)
    assert row["checkpoint_kB"] == pytest.approx(412.345)
    assert row["backbone_test_accuracy_before"] == row["backbone_test_accuracy_after"] == 0.75


def test_a_kept_baseline_has_no_backbone():
    row = summary_table([KEPT]).iloc[0]
    columns = ["backbone", "backbone_modality", "similarity", "identical", "sparsity"]
    assert row[columns].isna().all()
    assert row["gain"] == 0


def test_only_the_backbones_own_task_is_shown_but_every_earlier_one_must_be_identical():
    earlier = (EarlierTask("8", 0.5, 0.4, False), EarlierTask("29", 0.75, 0.7, True))
    row = summary_table([replace(recorded.target("3"), earlier_tasks=earlier)]).iloc[0]
    assert row["backbone_test_accuracy_before"] == 0.75
    assert row["backbone_test_accuracy_after"] == 0.7
    assert not row["identical"]
    assert " NO " in format_table(pd.DataFrame([row]), folder="results/icons", joint=JOINT)


def test_without_a_target_there_is_nothing_to_summarise():
    with pytest.raises(ValueError, match="no target to summarise"):
        summary_table([])


def test_the_text_is_a_neat_table_and_says_where_everything_lies():
    text = format_table(
        summary_table([KEPT, recorded.target("3")]), folder="results/icons", joint=JOINT
    )
    lines = text.splitlines()
    assert lines[0].split()[:3] == ["target", "modality", "backbone"]
    assert lines[1].split() == [
        *("3", "image", "image", "29", "0.971", "25.0%", "60.0%", "65.0%", "+5.0", "±", "8.0"),
        *("helps", "75.0%", "->", "75.0%", "yes", "70%", "1.50", "412", "31.3"),
    ]
    assert lines[2].split() == [
        *("5", "image", "-", "-", "25.0%", "60.0%", "60.0%", "+0.0", "hurts"),
        *("-", "-", "-", "1.50", "412", "31.3"),
    ]
    assert len({len(line) for line in lines[:3]}) == 1
    assert max(map(len, lines)) <= 150
    assert "results/icons/target_N.pt" in text
    assert "N = 3, 5" in text
    assert "results/icons/report.html" in text


def test_tasks_are_told_by_their_classes_and_joint_networks_by_their_names(page):
    frame = summary_table([recorded.target("3")])
    sentence = "What they are about: 3: cat, dog, fish, ...; 29: fifty kinds of icons."
    assert sentence in format_table(frame, folder="results/icons", joint=JOINT)
    assert "3: cat, dog, fish, ...;" in page
    assert "; 29: bus, car." in format_table(frame, folder="results/icons", joint={})
    assert tasks_sentence(summary_table([KEPT]), JOINT).endswith("5: cat, dog, fish, ....")


def test_a_class_whose_name_has_a_comma_is_one_class():
    record = replace(recorded.target("3"), classes={"3": ("a, b", "c, d", "e"), "29": ("f, g",)})
    frame = summary_table([record])
    assert tasks_sentence(frame, {}).endswith(": 3: a, b, c, d, e; 29: f, g.")
    assert as_text(frame)["backbone_classes"].tolist() == ["f, g"]


def test_the_sentence_counts_and_doubts():
    frame = summary_table([KEPT, recorded.target("3"), recorded.target("4", verdict="undecided")])
    sentence = verdict_sentence(frame)
    assert "helps 1 of 3 targets, hurts 1, and 1 stay undecided: by validation" in sentence
    # none of a baseline that is kept: .05 * 2 / 3, and sqrt(.04 ** 2 * 2) / 3
    assert "mean gain on test is +3.3 points with a standard error of 1.9." in sentence
    single = verdict_sentence(summary_table([recorded.target("3")]))
    assert "helps 1 of 1 target, hurts 0" in single and "trainings" not in single


def test_a_target_without_a_candidate_says_so():
    frame = summary_table([recorded.without_candidate("4")])
    assert frame.iloc[0][["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert "; for 1 no candidate has a score above selection.minimum" in verdict_sentence(frame)
    assert "no candidate" in format_table(frame, folder="results/icons", joint=JOINT)


def test_accuracies_are_means_over_all_trainings_of_the_comparison():
    made = recorded.target("3").comparison
    made = replace(made, runs=3, test_accuracy=0.7, test_gain=Gain(0.1, 0.02, 0.06, 0.14))
    frame = summary_table([recorded.target("3", comparison=made)])
    row = frame.iloc[0]
    means = (row["mean_baseline_test_accuracy"], row["mean_test_accuracy"])
    assert means == pytest.approx((0.6, 0.7))
    assert row["test_accuracy"] == 0.65  # that of the product itself
    assert "by validation samples and 3 trainings of each network" in verdict_sentence(frame)
    assert "+10.0 ± 4.0" in readable(frame)["gain"].tolist()


def test_two_candidates_that_know_more_than_one_are_told():
    lucky = recorded.stacking("5", p_value=0.3)
    sentence = stacks_sentence([lucky, recorded.stacking("10"), recorded.stacking("3")])
    told = [
        "they do of target 3: 29 and 16 (R² +0.04, p = 0.02)",
        "10: 29 and 16 (R² +0.04, p = 0.02).",
    ]
    assert sentence.endswith("; ".join(told))
    assert stacks_sentence([lucky]).endswith("features they do of no target.")
    alone = recorded.stacking("3", order=("29",), r2=(0.3,), second=None, gain=None, p_value=None)
    assert stacks_sentence([alone]).endswith("they do of no target.")


def test_classes_of_unequal_size_have_a_column():
    assert "balanced" not in readable(summary_table([recorded.target("3")]))
    uneven = summary_table([recorded.target("3", test_balanced_accuracy=0.4)])
    assert readable(uneven)["balanced"].tolist() == ["40.0%"]


def test_the_report_needs_nothing_else(page):
    elements = Elements(page)
    assert not elements.of("script") and not elements.of("link") and not elements.of("img")
    for _, attributes in elements.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("#")
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_every_figure_is_there_and_described(page):
    figures = [attributes for attributes in Elements(page).of("div") if "role" in attributes]
    assert len(figures) == len(Elements(page).of("svg")) == 5
    assert all(attributes["aria-label"] for attributes in figures)


def test_ids_are_unique_and_references_resolve(page):
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    for figure in figures:
        ids = re.findall(r'\bid="([^"]+)"', figure)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:url\(|href=")#([\w-]+)', figure)) <= set(ids)
    shared = [set(re.findall(r'\bid="([^"]+)"', figure)) for figure in figures]
    assert sum(map(len, shared)) == len(set().union(*shared))


def test_colours_follow_the_page(page):
    assert "prefers-color-scheme: dark" in page
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "#0102" not in figures, "every role is replaced"
    used = set(re.findall(r"var\(--(\w+)\)", figures))
    assert used == {"grid", "quiet", "accent", "mark"}
    for name in used:
        assert page.count(f"--{name}: #") == 2, "a light and a dark value"


def test_the_selected_candidates_are_framed(page):
    heatmap = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)[1]
    assert heatmap.count("var(--mark)") == 2
    for text in ("image 3", "text 16", ".97", ".70"):
        assert f">{text}</text>" in heatmap
    titles = re.findall(r">((?:image|text) \d+)</text>", heatmap)
    assert titles == ["image 5", "text 16", "image 29", "image 3", "image 5"]  # columns, then rows


def test_backbones_come_in_the_order_of_their_ids(tmp_path):
    ladder = inputs().pruning["29"]
    ladders = {id_: ladder for id_ in ("text-a", "29", "101", "6")}
    write_report(inputs(pruning=ladders), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    titles = re.findall(r">backbone (.*): 70% pruned</text>", page)
    assert titles == ["6", "29", "101", "text-a"]


def test_a_name_that_tells_the_modality_stands_alone(tmp_path):
    named = {"target": "image-animals", "backbone": "text-pans", "backbone_modality": "text"}
    named["classes"] = {"text-pans": ("pan", "pot"), "image-animals": ("cat", "dog")}
    record = replace(recorded.target("3"), **named)
    assert readable(summary_table([record]))[["target", "backbone"]].to_numpy().tolist() == [
        ["image-animals", "text-pans"]
    ]
    write_report(inputs(records=[record]), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    chart = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)[0]
    assert ">image-animals</text>" in chart and ">on text-pans</text>" in chart


def test_values_are_escaped(tmp_path):
    evil = "<script>alert('$x$')</script>"
    write_report(
        inputs(
            dataset=evil,
            records=[recorded.target("3", modality=evil, settings={evil: [evil]})],
            histories={evil: TrainingCurve(curve())},
        ),
        tmp_path / "report.html",
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_parts_that_are_not_there_are_left_out(tmp_path):
    empty = inputs(matrix=pd.DataFrame(), pruning={}, histories={})
    write_report(empty, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(Elements(page).of("svg")) == 1


def test_equal_inputs_give_equal_reports(page, tmp_path):
    write_report(inputs(), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_importing_the_report_does_not_import_matplotlib():
    code = "import sys, crossback_core.report.page; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
