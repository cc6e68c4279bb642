import csv
import hashlib
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from icons_builder.classes import ClassEntry, ClassList, read_classes
from icons_builder.embeddings import reduced
from icons_builder.glosses import (
    definition,
    groups_of,
    hyponyms,
    masked,
    own_words,
    read_nouns,
    read_plurals,
)
from icons_builder.output import differences, sheet_of, write_checksums
from icons_builder.pictures import (
    Icon,
    Picture,
    distinct,
    plain_name,
    round_robin,
    svg_of,
    usable,
    wanted_icons,
)
from icons_builder.sources import Source, fetch, verify

ROOT = Path(__file__).resolve().parents[2]
ICONS = ROOT / "data" / "icons"

NOUNS = """\
  1 This software and database is being provided to you, the LICENSEE, by
00000001 05 n 02 fish 0 finned_animal 0 003 @ 00000009 n 0000 ~ 00000002 n 0000 + 00000008 v 0101 \
| a cold-blooded vertebrate; "fish swim"
00000002 05 n 01 trout 0 003 @ 00000001 n 0000 ~ 00000003 n 0000 ~i 00000004 n 0000 \
| any of various game fish; usually smaller than salmon
00000003 05 n 01 sea_trout 0 001 @ 00000002 n 0000 | a trout of the sea
00000004 05 n 01 Old_Ben 0 001 @i 00000002 n 0000 | a famous trout; "Ben"
00000008 05 n 01 not_below 0 000 | a thing that is something else
"""


SYNSETS = read_nouns(NOUNS)


def picture(source: str, grey: int = 0) -> Picture:
    pixels = np.full((32, 32, 3), 255, dtype=np.uint8)
    pixels[8:24, 8:24] = grey
    return Picture(Icon(*source.split(":"), svg=""), pixels)


def sources_in_turn(sources: list[str], *, seed: int = 1, **families: str) -> list[str]:
    classes = ClassList(seed=seed, limit=60, families=families, tasks=())
    return [found.icon.source for found in round_robin(list(map(picture, sources)), classes)]


def test_style_words_are_stripped_at_both_ends():
    names = ["bus", "bus-outline", "outline-bus", "bus-24-bold-duotone", "bus-two-tone"]
    assert {plain_name(name) for name in names} == {"bus"}
    others = ["bus-stop-fill", "minibus-off", "outline"]
    assert [plain_name(name) for name in others] == ["bus-stop", "minibus-off", "outline"]


def test_hidden_and_animated_icons_are_not_wanted():
    still = {"body": "<path/>"}
    icons = {
        "bus": still,
        "bus-fill": {**still, "hidden": True},
        "bus-line": {"body": "<path><animate/></path>"},
        "car": still,
    }
    found = wanted_icons({"prefix": "mdi", "icons": icons}, frozenset({"bus"}))
    assert [icon.source for icon in found] == ["mdi:bus"]


def test_licence_and_category_decide_on_a_set():
    def of(licence: str, category: str | None) -> bool:
        return usable({"license": {"spdx": licence}, "category": category})

    assert of("MIT", "Emoji") and of("OFL-1.1", None)
    assert not of("MIT", "Logos")
    assert not of("GPL-3.0-or-later", "Emoji") and not of("CC-BY-SA-4.0", None)


def test_icon_is_drawn_in_its_own_frame_or_its_sets_black_on_white():
    svg = svg_of({"body": "<path/>", "height": 20}, {"width": 24, "height": 24})
    assert 'viewBox="0 0 24 20"' in svg
    pytest.importorskip("resvg_py")
    from icons_builder.drawing import draw

    body = '<path fill="currentColor" d="M4 4h8v8H4z"/>'
    pixels = draw(Icon("set", "square", svg_of({"body": body}, {}))).pixels
    assert pixels.shape == (32, 32, 3)
    assert pixels[16, 16].tolist() == [0, 0, 0]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_blanks_and_near_duplicates_are_dropped_and_the_first_stays():
    given = [picture("a:x", 0), picture("b:x", 5), picture("c:x", 254), picture("d:x", 120)]
    assert [found.icon.source for found in distinct(given)] == ["a:x", "d:x"]


def test_round_robin_takes_one_of_each_family_in_turn():
    found = sources_in_turn(["a:1", "a:2", "a:3", "b:1", "red:1", "c:1"], a="a", red="a")
    turns = [source[0].replace("r", "a") for source in found]
    assert sorted(turns[:3]) == ["a", "b", "c"]
    assert turns[3:] == ["a", "a", "a"]


def test_round_robin_depends_on_the_seed_not_on_the_order():
    given = [f"{prefix}:{name}" for prefix in "abcdef" for name in "xyz"]
    assert sources_in_turn(given[::-1]) == sources_in_turn(given) != sources_in_turn(given, seed=2)


def test_sheet_has_ten_tiles_a_row_and_white_behind_them():
    sheet = sheet_of([picture(f"a:{number}", number) for number in range(11)])
    assert sheet.shape == (64, 320, 3)
    assert sheet[16, 9 * 32 + 16].tolist() == [9, 9, 9]
    assert sheet[32 + 16, 16].tolist() == [10, 10, 10]
    assert (sheet[32:, 32:] == 255).all()


def test_nouns_are_read_and_hyponyms_of_hyponyms_and_instances_are_below():
    fish = SYNSETS["00000001"]
    assert fish.words == ("fish", "finned animal")
    assert fish.below == ("00000002",)
    assert fish.gloss == 'a cold-blooded vertebrate; "fish swim"'
    assert len(SYNSETS) == 5
    found = [synset.offset for synset in hyponyms(SYNSETS, "00000001")]
    assert found == ["00000002", "00000003", "00000004"]


def test_definition_ends_before_the_first_semicolon_and_blank():
    assert definition('any of various game fish; "trout"') == "any of various game fish"
    assert definition("sea-going; of 3 masts; old") == "sea-going"
    assert definition("a thing;strange") == "a thing;strange"


def test_own_words_are_masked_with_plurals_whatever_the_case():
    own = own_words("fish", SYNSETS["00000001"], read_plurals("fishes fish\n"))
    text = "Fish-like, FISHES and finned animals; fishing starfish, finned things"
    assert masked(text, own) == "[MASK]-like, [MASK] and [MASK]; fishing starfish, finned things"
    own = own_words("body part", SYNSETS["00000003"], read_plurals("bodies body\n"))
    text = "a part of two bodies that partly depart"
    assert masked(text, own) == "a [MASK] of two [MASK] that partly depart"


def test_glosses_that_differ_in_one_word_are_one_group():
    texts = {
        "1": "a city in northern Italy",
        "2": "a city in southern Italy",
        "3": "a city in southern sunny Italy",
        "4": "a town of quite another kind",
        "5": "A city, in northern Italy!",
    }
    assert groups_of(texts) == {"1": "1", "2": "1", "3": "1", "4": "4", "5": "1"}


def test_embeddings_have_unit_mean_square_and_a_row_of_zeros():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (50, 8)).astype(np.float32)
    table = reduced(rows, 4)
    assert table.shape == (51, 4)
    assert table.dtype == np.float16
    assert not table[0].any()
    values = table[1:].astype(np.float64)
    assert np.mean(values**2) == pytest.approx(1, abs=1e-3)
    assert (np.diff(values.var(axis=0)) < 0).all()  # largest component first
    before, after = (np.linalg.norm(x[:, None] - x, axis=-1) for x in (rows, reduced(rows, 8)[1:]))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9999  # all of them keep distances
    with pytest.raises(ValueError, match=r"embedding width 9 is not in 1\.\.8"):
        reduced(rows, 9)


def test_a_package_is_fetched_once_and_checked(tmp_path):
    path = tmp_path / "package.tgz"
    with pytest.raises(FileNotFoundError, match="left no file of this name"):
        fetch(Source(path.name, "00", ("true",)), tmp_path / "cache")
    path.write_bytes(b"here")
    found = hashlib.sha256(b"here").hexdigest()
    assert fetch(Source(path.name, found, ("false",)), tmp_path) == path
    with pytest.raises(ValueError, match=f"{found}, expected 00.*: delete the file and run again"):
        verify(path, "00")


def test_class_listed_twice_is_refused(tmp_path):
    task = {"task": 1, "name": "a", "classes": {"bus": {"names": ["bus"], "found": 1}}}
    content = {"seed": 1, "limit": 2, "families": [], "texts": [], "wide_texts": []}
    path = tmp_path / "classes.yaml"
    path.write_text(yaml.safe_dump({**content, "images": [task], "wide_images": [task]}))
    with pytest.raises(ValueError, match="image classes listed twice: bus"):
        read_classes(path)


def test_dropped_icons_may_be_a_pattern():
    entry = ClassEntry("key", ("key",), "", ("icon-park*:f-*-key", "carbon:key"), 0)
    assert entry.drops("icon-park-solid:f-one-key")
    assert entry.drops("carbon:key")
    assert not entry.drops("icon-park:key")


def test_check_lists_what_differs(tmp_path):
    def build(name: str, number: float, text: str) -> Path:
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "embeddings.npy", np.array([number], dtype=np.float16))
        (tmp_path / name / "texts.csv").write_text(text)
        write_checksums(tmp_path / name)
        return tmp_path / name

    # The last bits of embeddings may differ.
    one, alike = build("one", 1.0, "a\n"), build("alike", 1.001, "a\n")
    assert differences(one, alike) == []
    two = build("two", 1.5, "b\n")
    (one / "new.csv").touch()
    (two / "old.csv").touch()
    assert differences(one, two) == [
        "only in the new build: new.csv",
        "not in the new build: old.csv",
        "differs: SHA256SUMS",
        "differs: embeddings.npy",
        "differs: texts.csv",
    ]


def rows_of(name: str) -> list[dict[str, str]]:
    with (ICONS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_checksums_of_the_data_set_hold():
    lines = (ICONS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = dict(reversed(line.split("  ", 1)) for line in lines)
    files = {path.relative_to(ICONS).as_posix() for path in ICONS.rglob("*") if path.is_file()}
    assert files == {*listed, "SHA256SUMS"}
    for name, expected in listed.items():
        assert hashlib.sha256((ICONS / name).read_bytes()).hexdigest() == expected, name
    assert sum((ICONS / name).stat().st_size for name in files) < 6_500_000


@pytest.mark.parametrize(("modality", "name"), [("image", "images.csv"), ("text", "texts.csv")])
def test_every_class_has_30_to_60_samples(modality, name):
    rows = rows_of(name)
    counts = Counter(row["class"] for row in rows)
    tasks = yaml.safe_load((ICONS / "tasks.yaml").read_text(encoding="utf-8"))
    assert [task["task"] for task in tasks] == list(range(1, 48))
    assert {len(task["classes"]) for task in tasks} == {5}
    classes = [task["classes"] for task in tasks if task["modality"] == modality]
    assert sorted(counts) == sorted(sum(classes, []))
    assert 30 <= min(counts.values()) <= max(counts.values()) <= 60
    listed = read_classes(ROOT / "tools" / "classes.yaml")
    for entry in listed.entries(modality):
        assert counts[entry.name] == min(entry.found, listed.limit), entry.name
    assert len({row["id"] for row in rows}) == len(rows)
    assert f"{len(rows):,}" in (ICONS / "README.md").read_text(encoding="utf-8")


def test_sheets_hold_the_tiles_that_the_table_names():
    counts = Counter(row["class"] for row in rows_of("images.csv"))
    for name, count in counts.items():
        with Image.open(ICONS / "images" / f"{name.replace(' ', '-')}.png") as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
        assert pixels.shape == (-(-count // 10) * 32, 320, 3), name
        tiles = pixels.reshape(-1, 32, 10, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
        assert tiles[count - 1].std() > 1, f"the last tile of {name} is blank"
        assert (tiles[count:] > 250).all(), f"{name} has too many tiles"


def test_tokens_are_in_the_vocabulary_and_the_vocabulary_in_the_table():
    vocabulary = (ICONS / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    table = np.load(ICONS / "embeddings.npy")
    assert vocabulary[0] == "[PAD]"
    assert table.shape == (len(vocabulary), 128) and not table[0].any()
    rows = rows_of("texts.csv")
    pieces = {piece for row in rows for piece in row["tokens"].split(" ")}
    assert pieces | {"[PAD]", "[UNK]", "[MASK]"} == set(vocabulary)
    groups = {(row["synset"], row["group"]) for row in rows}
    assert len(groups) == len({synset for synset, _ in groups})  # one group per definition


def test_every_set_is_attributed_and_every_licence_is_there():
    attributed = rows_of("ATTRIBUTION.csv")
    sets = {row["source"].partition(":")[0] for row in rows_of("images.csv")}
    assert {row["set"] for row in attributed} == sets
    assert all(row["author"] and row["licence"] for row in attributed)
    texts = {path.stem for path in (ICONS / "LICENSES").iterdir()}
    assert texts == {row["licence"] for row in attributed} | {"WordNet-3.0"}
