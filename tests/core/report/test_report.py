"""The summary table, its text and the HTML report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recorded
from reporting import JOINT, curve, inputs, selection

from crossback_core.learning.verdict import Gain
from crossback_core.records import EarlierTask, Parent, write_record
from crossback_core.report import charts, heatmap
from crossback_core.report.examples import LOOKED_AT, chosen, looked_at, png
from crossback_core.report.inputs import Ladder, TrainingCurves
from crossback_core.report.names import Named, names_of
from crossback_core.report.page import write_report
from crossback_core.report.story import card, headline, stacks_sentence
from crossback_core.report.table import (
    as_text,
    format_table,
    readable,
    summary_table,
    tasks_sentence,
    verdict_sentence,
)
from crossback_core.report.vega import drawn, script, template
from crossback_core.stages.cleaning import find_spare
from crossback_core.storage.files import sha256, write_text

KEPT = recorded.kept("5")


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


def written(folder, made):
    """Return the text of a report of these inputs."""
    write_report(made, folder / "report.html", folder / "figures")
    return (folder / "report.html").read_text(encoding="utf-8")


def specs(page):
    """Return the charts of a page, as it gives them to Vega-Lite."""
    text = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page)[1]
    return json.loads(text)["charts"]


@pytest.fixture
def page(tmp_path):
    """Return the text of a report."""
    return written(tmp_path, inputs())


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
    assert " NO " in format_table(pd.DataFrame([row]), folder="results/icons", called=JOINT)


def test_without_a_target_there_is_nothing_to_summarise():
    with pytest.raises(ValueError, match="no target to summarise"):
        summary_table([])


def test_the_text_is_a_neat_table_and_says_where_everything_lies():
    text = format_table(
        summary_table([KEPT, recorded.target("3")]), folder="results/icons", called=JOINT
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


def test_tasks_are_told_by_their_classes_and_joint_networks_by_their_names():
    frame = summary_table([recorded.target("3")])
    told = "What they are about: image 3: animals (cat, dog, fish, bird); image 29: fifty kinds"
    called = JOINT | {"3": "animals"}
    assert tasks_sentence(frame, called) == f"{told} of icons (bus, car)."
    assert told in format_table(frame, folder="results/icons", called=called)
    assert "; image 29: bus, car." in format_table(frame, folder="results/icons", called={})
    assert tasks_sentence(summary_table([KEPT]), {}).endswith(": image 5: cat, dog, fish, bird.")


def test_a_class_whose_name_has_a_comma_is_one_class():
    record = replace(recorded.target("3"), classes={"3": ("a, b", "c, d", "e"), "29": ("f, g",)})
    frame = summary_table([record])
    assert tasks_sentence(frame, {}).endswith(": image 3: a, b, c, d, e; image 29: f, g.")
    assert as_text(frame)["backbone_classes"].tolist() == ["f, g"]


def test_the_sentence_counts_and_doubts():
    frame = summary_table([KEPT, recorded.target("3"), recorded.target("4", verdict="undecided")])
    sentence = verdict_sentence(frame)
    assert "helps 1 of 3 targets, hurts 1, and 1 stay undecided: by validation" in sentence
    # none of a baseline that is kept: .05 * 2 / 3, and sqrt(.04 ** 2 * 2) / 3
    assert (
        "mean gain on test of all targets is +3.3 points with a standard error of 1.9." in sentence
    )
    single = verdict_sentence(summary_table([recorded.target("3")]))
    assert "The mean gain on test is +5.0 points" in single
    assert "helps 1 of 1 target, hurts 0" in single and "trainings" not in single
    assert "What follows a ±" in single and "docs/" not in single


def test_a_target_without_a_candidate_says_so():
    frame = summary_table([recorded.without_candidate("4")])
    assert frame.iloc[0][["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    none = "No candidate has a score above selection.minimum for any of 1 target."
    pointed = f'{none} What may help: docs/tutorial.md, section "Few samples".'
    assert verdict_sentence(frame) == pointed  # and nothing of a ±
    tutorial = Path(__file__).parents[3] / "docs" / "tutorial.md"
    assert "\n## Few samples" in tutorial.read_text(encoding="utf-8")
    some = verdict_sentence(summary_table([recorded.without_candidate("4"), recorded.target("3")]))
    assert "1 stay" not in some and "; for 1 no candidate has a score above" in some
    assert "no candidate" in format_table(frame, folder="results/icons", called=JOINT)


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
    names = {"29": Named("29", "image", ("bus",), "icons"), "3": Named("3", "text", ("a", "b"))}
    sentence = stacks_sentence([lucky, recorded.stacking("10"), recorded.stacking("3")], names)
    told = [
        "they do of 2 targets: text 3 (a, b) by image 29 (icons) and 16, R² +0.04, p = 0.02",
        "10 by image 29 (icons) and 16, R² +0.04, p = 0.02.",
    ]
    assert sentence.endswith("; ".join(told))
    assert stacks_sentence([lucky], names).endswith("features they do of no target.")
    alone = recorded.stacking("3", order=("29",), r2=(0.3,), second=None, gain=None, p_value=None)
    assert stacks_sentence([alone], names).endswith("they do of no target.")


def test_the_accuracy_before_pruning_is_told():
    record = recorded.target("3")
    networks = [recorded.baseline(task="29", test_accuracy=0.8)]
    told = "image 29: bus 75.0 % before and 75.0 % after (the same to the bit), and 80.0 % before"
    assert f"{told} it was pruned." in card_of(record, selection(record), networks).told[-1]
    assert "pruned." not in card_of(record, selection(record)).told[-1]
    text = format_table(summary_table([record, KEPT], networks), folder="", called={})
    assert "\nBefore pruning the backbones reached on their own tasks: 29 80.0%.\n" in text


def test_a_product_that_may_guess_is_called_so(tmp_path):
    record = recorded.target("3", test_accuracy=0.35)
    text = format_table(summary_table([record, KEPT]), folder="results/icons", called={})
    # Wilson's, of 21 of 60: by R, binom::binom.confint(21, 60, methods = "wilson")
    told = "No better than guessing: 3 (35.0% of 60 test samples, 95 % interval 24 to 48; always"
    assert told in text and "always the most frequent class: 25.0%)." in " ".join(text.split())
    assert "guessing" not in format_table(summary_table([KEPT]), folder="", called={})
    (said,) = [each for each in card_of(record, selection(record)).told if "guessing" in each]
    assert said.startswith("No better than guessing: the product is right on 35.0 % of 60 test")
    page = written(tmp_path, inputs(records=[record, KEPT]))
    assert page.count("helps <small>no better than guessing</small>") == 1
    assert "hurts <small>" not in page


def test_the_headline_says_what_the_verdicts_say():
    undecided = [recorded.target(id_, verdict="undecided") for id_ in "34"]
    assert headline(summary_table(undecided)) == "Another network helps 0 of 2 targets, 2 undecided"
    mixed = [recorded.target("3"), KEPT, recorded.without_candidate("4"), undecided[1]]
    told = "Another network helps 1 of 4 targets, hurts 1, 1 undecided, 1 without a candidate"
    assert headline(summary_table(mixed)) == told
    none = "For none of 1 target does another network know enough"
    assert headline(summary_table(mixed[2:3])) == none


def test_no_link_leads_to_what_a_finished_project_may_remove(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("results/icons")
    made = {"initial": folder / "kv_swap/target_3.pt", "baseline": folder / "baseline/task_3.pt"}
    for path in (*made.values(), folder / "target_3.pt"):
        write_text("content", path)
    parents = {role: Parent(str(path), sha256(path)) for role, path in made.items()}
    record = recorded.target("3", parents=parents)
    write_record(record, folder / "target_3.json")
    spare = {each.path for each in find_spare(".")}
    page = written(tmp_path, inputs(records=[record]))
    links = {folder / each["href"] for each in Elements(page).of("a")}
    assert spare == {made["initial"]} and made["baseline"] in links
    assert not spare & links and "kv_swap/target_3.pt" in page


def test_classes_of_unequal_size_have_a_column():
    assert "balanced" not in readable(summary_table([recorded.target("3")]))
    uneven = summary_table([recorded.target("3", test_balanced_accuracy=0.4)])
    assert readable(uneven)["balanced"].tolist() == ["40.0%"]
    several = readable(uneven.assign(trainings=3))  # whose mean the accuracy beside it is
    assert several["product's, balanced"].tolist() == ["40.0%"]


def test_the_report_needs_nothing_else(page, tmp_path):
    elements = Elements(page)
    addresses = [
        value
        for tag, attributes in elements.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href") and tag != "a"
    ]
    assert addresses and all(value.startswith("data:") for value in addresses)
    assert all(not each["href"].startswith("http") for each in elements.of("a"))
    (policy,) = [each for each in elements.of("meta") if "http-equiv" in each]
    assert policy["content"].startswith("default-src 'none'")
    assert "unsafe-eval" not in policy["content"] and "http" not in policy["content"]
    assert "@import" not in page and "url(" not in page.replace(script(), "")


def test_every_chart_is_drawn_described_and_a_file(page, tmp_path):
    places = [each for each in Elements(page).of("div") if "data-chart" in each]
    names = [each["data-chart"] for each in places]
    trained = [f"training_{t}_{c}" for t in "35" for c in ("validation_accuracy", "loss")]
    assert names == ["accuracies", "scores", "ladder_29", *trained, "weights_3", "weights_5"]
    assert all(each["role"] == "img" and each["aria-label"] for each in places)
    assert specs(page).keys() == set(names)
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg"') >= len(names)
    files = {path.stem: path.read_text() for path in (tmp_path / "figures").glob("*.svg")}
    assert files.keys() == set(names)
    assert not any(re.search(r"var\(|color-mix|<style", text) for text in files.values())
    assert 'fill="#629acb"' in files["scores"]  # 70 % of the colour above zero on the light card


def test_names_of_parameters_are_told_apart_in_pictures(tmp_path):
    names = [f"reader_feedforward.{name}.weight" for name in ("value", "gate", "out")]
    counts = [(name, 1, 1, 1, 3) for name in names]
    weights = pd.DataFrame(counts, columns=["parameter", "owned", "picked", "free", "total"])
    opened = {id_: replace(each, weights=weights) for id_, each in inputs().opened.items()}
    written(tmp_path, inputs(opened=opened))
    picture = (tmp_path / "figures" / "weights_3.svg").read_text()
    assert all(f">{name.removesuffix('.weight')}<" in picture for name in names)


def test_colours_follow_the_page(page, tmp_path):
    used = set(re.findall(r"var\(--([\w-]+)\)", page.replace(script(), "")))
    own = {"of", "edge", "least", "wide"}  # which elements set themselves
    for name in used - own:
        assert page.count(f"--{name}: #") == 2, f"{name}: a light and a dark value"
    assert not re.search(r'(?:fill|stroke)="#', page.replace(script(), ""))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme):
    values = re.findall(r"--([\w-]+): #(\w{6})", template("colours.css"))
    colours = dict(values[scheme * len(values) // 2 :][: len(values) // 2])
    for word in ("ink", "soft", "accent", "good", "bad"):
        for behind in ("card", "page"):
            assert contrast(colours[word], colours[behind]) >= 4.5, (word, behind)  # WCAG 2, AA
    for line in ("quiet", "mark", "accent"):
        assert contrast(colours[line], colours["card"]) >= 3, line
    for end in ("above", "below"):  # the strongest cells of a heat map
        mixed = [
            round(heatmap.STRONGEST / 100 * a + (1 - heatmap.STRONGEST / 100) * b)
            for a, b in zip(*(bytes.fromhex(colours[it]) for it in (end, "card")), strict=True)
        ]
        assert contrast(colours["ink"], bytes(mixed).hex()) >= 4.5, end


def contrast(first, second):
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    bright, dark = sorted(map(luminance, (first, second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour):
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [part / 255 for part in bytes.fromhex(colour)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_headings_come_in_order(page):
    levels = [int(tag[1]) for tag, _ in Elements(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def heat_map(score):
    """Return the heat map with a score picked."""
    made = inputs()
    spec = heatmap.scores(made.matrix, names_of(made), "label_cka", made.zeros)
    spec["params"][0] = spec["params"][0] | {"value": score}
    return spec


def cells(score):
    """Return the colours and texts of the heat map with a score picked, and the whole."""
    svg = drawn(heat_map(score), width=720)
    colours = re.findall(r'<path [^>]*fill="(color-mix[^"]*)"', svg)
    return colours, re.findall(r">([−–\d][.\d]*)</text>", svg), svg


def test_a_score_is_coloured_from_its_zero_on_or_from_the_lowest():
    # the order is of ids: 3 with 5, 16, 29; 5 with 16, 29
    colours, texts, svg = cells("knn_excess")
    told = [("above", 18), ("below", 70), ("above", 35), ("below", 0), ("below", 0)]
    assert colours == [f"color-mix(in srgb, var(--{it}) {part}%, var(--card))" for it, part in told]
    assert texts == ["0.100", "−0.400", "0.200", "0.000", "–"]
    assert "knn_excess: without colour is its zero;" in svg
    assert "below it is worse than nothing, above it better" in svg
    colours, texts, svg = cells("label_cka")
    assert [re.search(r"(?:above|below)\) (\d+)%", each)[1] for each in colours] == [
        *("61", "0", "70", "20", "59")
    ]
    assert texts == ["0.800", "−0.400", "0.970", "0.000", "0.750"]
    assert "label_cka has no zero:" in svg and "the stronger the colour, the higher" in svg


def test_the_chosen_are_framed_and_scores_are_texts():
    rows = heat_map("label_cka")["data"]["values"]
    pairs = {
        (row["task"].split(":")[0], row["candidate"].split(":")[0]): row["chosen"] for row in rows
    }
    framed = [pair for pair, chosen in pairs.items() if chosen == "yes"]
    assert framed == [("image 3", "image 29"), ("image 5", "image 29")]
    assert [pair[1] for pair in pairs][:3] == ["image 5", "text 16", "image 29"]  # by number
    assert heatmap.written(-0.001, 2) == "0.00" and heatmap.written(float("nan"), 2) == "–"


def test_scores_have_digits_that_tell_them_apart_or_tie(tmp_path):
    matrix = inputs().matrix.assign(similarity=[0.96952, -0.4, 0.96984, 0.75, 0.75])
    record = recorded.target("3")
    chosen = inputs().selections[1]
    rank = [chosen.ranking[0], replace(chosen.ranking[1], similarity=0.75)]
    near = [replace(rank[0], similarity=0.96984), replace(rank[1], similarity=0.96952)]
    close = replace(chosen, similarity=0.96984, ranking=tuple(near))
    tried = replace(record.tried, similarity=0.96984)
    changed = {"records": [replace(record, tried=tried)], "matrix": matrix}
    page = written(tmp_path, inputs(**changed, selections=[close]))
    assert "with a label_cka of 0.9698 (text 16 (ant, bee) has 0.9695)" in page
    table = re.findall(r"<td>(0\.\S+)</td><td class=\"word\">(.*)</td>", page)
    assert table == [("0.9695", ""), ("0.9698", "chosen"), ("0.750", "a tie"), ("0.750", "chosen")]
    equal = replace(rank[1], similarity=rank[0].similarity)
    tie = replace(chosen, ranking=(rank[0], equal))
    assert "0.971 (16 has 0.971, of equals the first);" in card_of(record, tie).told[0]
    frame = summary_table([record], choices=[tie])
    told = "Of equal candidates the first was chosen: for 3 (16 scored the same)."
    assert told in format_table(frame, folder="results/icons", called={})
    assert as_text(frame)["tied_candidates"].tolist() == ["16"]


def card_of(record, choice, networks=()):
    """Return the card of a target, whose backbone alone is known by name."""
    (row,) = summary_table([record], networks).to_dict("records")
    names = {id_: Named(id_, "image", ("bus",)) for id_ in (record.target, "29")}
    return card(record, row, choice, names)


def test_every_task_has_its_number_its_name_and_its_classes(page):
    for told in ("image 3: cat, dog, fish, bird", "image 29: fifty kinds of icons (bus, car)"):
        assert page.count(told) > 3
    row = specs(page)["scores"]["data"]["values"][1]
    assert row["known"] == "text 16: ant, bee"
    many = recorded.target("3", classes={"3": tuple("abcdefg"), "29": ("bus", "car")})
    assert Named("3", "image", many.classes["3"]).told == "image 3: a, b, c, d and 3 more"


def test_the_story_tells_what_was_chosen_what_it_brought_and_how_sure_that_is(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :][:9000]))
    for words in (
        "+5.0 points helps 95 % interval −3.0 to +13.0",
        "On image 29: fifty kinds of icons (bus, car)",
        "Test accuracy 60.0 % alone, 65.0 % on that network.",
        "Chosen of 2 candidates, with a label_cka of 0.971; it knows 2 classes",
        "on 60 validation samples, which decide, the gain is +6.0 points, 95 % interval +2.0 to",
        "75.0 % before and 75.0 % after (the same to the bit)",
        "It hurts, so the target&#39;s own baseline was kept.",
    ):
        assert words in text


def test_means_are_told_of_several_trainings_alone(page, tmp_path):
    assert "means over" not in page and "on that network.</p>" in page
    made = replace(recorded.target("3").comparison, runs=3)
    records = [recorded.target("3", comparison=made), recorded.kept("5", comparison=made)]
    several = written(tmp_path, inputs(records=records))
    assert several.count(", means over 3 trainings.</p>") == 2
    assert "are means over 3 trainings of each network where" in several


def test_a_backbone_that_is_a_candidate_no_longer_is_told_by_its_number(tmp_path):
    page = written(tmp_path, inputs(records=[KEPT], networks=[], matrix=inputs().matrix[:0]))
    assert "with a label_cka of 0.971: image 29: fifty kinds of icons. It hurts" in page


def test_a_single_candidate_is_one(tmp_path):
    record = recorded.target("3")
    alone = replace(inputs().selections[1], ranking=inputs().selections[1].ranking[:1])
    page = written(tmp_path, inputs(records=[record], selections=[alone]))
    assert "Chosen of 1 candidate, with" in page and "1 candidate by label_cka" in page


def test_names_are_shown_as_they_are_written(tmp_path):
    names = ("it's", "Häsin & 猫", "a sentence of which nobody would think that it names a class")
    record = recorded.target("3", classes={"3": names, "29": ("bus",)}, settings={"ü": ["ö"]})
    page = written(tmp_path, inputs(records=[record]))
    told = unescape(page[: page.index('<script type="application/json"')])
    assert f'<dd>{{"3": ["it\'s", "Häsin & 猫", "{names[2]}"], "29": ["bus"]}}</dd>' in told
    assert '<dt>ü</dt><dd>["ö"]</dd>' in told
    assert "<h3>image 3: it's, Häsin & 猫, a sentence of which nobody would think…</h3>" in told
    assert f"<span>{names[2]}</span>" in told  # whole, where there is room


def test_the_level_chosen_is_marked_where_no_level_was_good_enough(tmp_path):
    dense = replace(inputs().pruning["29"].choice, sparsity=0.0, validation_accuracy=0.78)
    levels = inputs().pruning["29"].levels[::2]  # no row of it, as in pruning.csv
    page = written(tmp_path, inputs(pruning={"29": Ladder(levels, dense)}))
    *_, mark = specs(page)["ladder_29"]["layer"][2]["layer"]
    assert mark["data"]["values"] == [{"sparsity": 0.0, "validation_accuracy": 0.78}]


def test_an_accuracy_is_never_below_zero():
    whole = replace(inputs().pruning["29"].choice, allowed_loss=1.0)
    band, *_ = charts.ladder(Ladder(inputs().pruning["29"].levels, whole))["layer"]
    assert band["data"]["values"] == [{"high": 0.78, "low": 0.0}]


def test_accuracies_have_the_interval_of_their_samples(page):
    # Wilson's, of 36 and 39 of 60: by R, binom::binom.confint(36, 60, methods = "wilson")
    assert "60.0 % <small>47 to 71</small>" in page
    assert "65.0 % <small>52 to 76</small>" in page


def test_examples_confusion_and_settings_are_told(page):
    assert page.count('src="data:image/png;base64,') == 2
    assert "<blockquote>a small &lt;animal&gt;</blockquote>" in page
    assert re.search(r"✗ wrong:</span> cat, taken for dog\s+\(80 %\)", page)
    assert re.search(r'class="right" style="[^"]*65%?[^"]*">39<|class="right"[^>]*>39<', page)
    assert "<dt>training.epochs</dt><dd>3</dd>" in page
    assert "snakemake --cores all results/icons/report.html" in page


def test_backbones_come_in_the_order_of_their_ids(tmp_path):
    ladder = inputs().pruning["29"]
    page = written(tmp_path, inputs(pruning={id_: ladder for id_ in ("text-a", "29", "101", "6")}))
    titles = re.findall(r'data-chart="ladder_(.*?)"', page)
    assert titles == ["6", "29", "101", "text-a"]


def test_a_name_that_tells_the_modality_stands_alone(tmp_path):
    named = {"target": "image-animals", "backbone": "text-pans", "backbone_modality": "text"}
    named["classes"] = {"text-pans": ("pan", "pot"), "image-animals": ("cat", "dog")}
    tried = replace(recorded.target("3").tried, backbone="text-pans")
    record = replace(recorded.target("3"), tried=tried, **named)
    assert readable(summary_table([record]))[["target", "backbone"]].to_numpy().tolist() == [
        ["image-animals", "text-pans"]
    ]
    page = written(tmp_path, inputs(records=[record], matrix=inputs().matrix[:0]))
    assert "<h3>image-animals: cat, dog</h3>" in page and "On text-pans: pan, pot" in page


def test_values_are_escaped(tmp_path):
    evil = "</script><script>alert('$x$')</script>"
    record = recorded.target("3", modality=evil, settings={evil: [evil]}, score=evil)
    page = written(tmp_path, inputs(dataset=evil, records=[record]))
    assert page.count("<script") == 2 and page.count("</script") == 2
    assert "&lt;script&gt;" in page


def test_parts_that_are_not_there_are_left_out(tmp_path):
    records = [recorded.without_candidate("4")]
    page = written(tmp_path, inputs(records=records, matrix=inputs().matrix[:0], pruning={}))
    assert not {"scores", "pruning"} & {each.get("id") for each in Elements(page).of("section")}
    best = "the best of 2 candidates, image 29: fifty kinds of icons, scores −0.100 by label_cka"
    assert f"{best}, which is not above the minimum 0" in page
    rows = specs(page)["training_4_loss"]["data"]["values"]
    assert {row["network"] for row in rows} == {"baseline"}


def test_many_targets_are_folded_and_their_charts_scroll(tmp_path, page):
    records = [recorded.target(str(number)) for number in range(40, 50)]
    many = written(tmp_path, inputs(records=records, matrix=inputs().matrix[:0]))
    assert page.count("<details open>") == 2 + 2  # a card and the files of each target
    assert '<div class="grid tall"' in many and '<div class="grid tall"' not in page
    assert "<details open>" not in many


def test_long_trainings_are_thinned(tmp_path):
    long = {
        "3": TrainingCurves(curve(400), curve(3)),
        "5": TrainingCurves(None, curve()),
    }
    rows = specs(written(tmp_path, inputs(histories=long)))["training_3_loss"]["data"]["values"]
    epochs = [row["epoch"] for row in rows if row["network"] == "target"]
    assert len(epochs) == 120 and (epochs[0], epochs[-1]) == (1, 800)


def test_the_surest_examples_of_different_classes_are_chosen():
    sure = np.array([0.9, 0.8, 0.7, 0.95, 0.6, 0.99])
    probabilities = np.stack([sure, 1 - sure], axis=1)  # all are taken for class 0
    labels = np.array([0, 0, 1, 1, 2, 1])
    assert chosen(probabilities, labels) == [5, 4, 3, 0, 1]  # wrong: of 1, of 2, of 1; then right


def test_a_product_is_asked_about_a_bounded_number_of_samples():
    assert looked_at(5).tolist() == [0, 1, 2, 3, 4]
    places = looked_at(10_000)
    assert len(places) == LOOKED_AT and (places[0], places[-1]) == (0, 9999)


def test_large_pictures_are_made_small():
    assert len(png(np.zeros((3, 2000, 1000), dtype=np.uint8))) < 1000


def test_equal_inputs_give_equal_reports(page, tmp_path):
    assert written(tmp_path / "again", inputs()) == page
