"""Checkpoints come back bit for bit, stay small, and are refused if anything is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from malicious import Malicious

from crossback_core import __version__
from crossback_core.checkpoint import CHECKPOINT_FORMAT, network_file
from crossback_core.checkpoint.network_file import dense_bytes, load_checkpoint, save_checkpoint
from crossback_core.config import load_settings
from crossback_core.data import save_task
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.body import describe
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.packing import pack_owners, unpack_owners
from crossback_core.storage.archive import save_archive

CONFIG = Path(__file__).parents[3] / "config.yaml"
TASKS = [
    tiny.task_data("4", "image", classes=3),
    tiny.task_data("9", "text"),
    tiny.task_data("2", "image"),
]


def learned(count: int, *, widths: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Network:
    """Return a network of so many tasks, pruned in between, with picks, all values disturbed."""
    torch.manual_seed(0)
    network = Network(Perceiver(tiny.MODEL))
    for number, (data, width) in enumerate(zip(TASKS[:count], widths, strict=False)):
        like = TASKS[0].task if number else None
        network.add_task(tiny.spec(data, width), like=like, recipe=data.recipe)
        tiny.disturb(network)
        network.remember(data.seen)
        if number:
            drop_picks(network)
        network.ownership.weights.prune_to(0.5)
    return network


def drop_picks(network: Network) -> None:
    """Drop about a third of the newest task's picks."""
    scores = network.ownership.weights.start_picking(initial=0.01, threshold=0.005)
    with torch.no_grad():
        scores -= 0.015 * torch.rand_like(scores)
    network.ownership.weights.stop_picking()


@pytest.fixture(scope="module")
def two_tasks() -> Network:
    return learned(2)


@pytest.fixture
def path(two_tasks, tmp_path) -> Path:
    save_checkpoint(two_tasks, tmp_path / "sound.pt", {"seed": 2})
    return tmp_path / "sound.pt"


@pytest.mark.parametrize(
    ("count", "widths"),
    [(1, (1.0,)), (2, (1.0, 1.0)), (3, (1.0, 1.5, 2.0)), (3, (1.5, 1.5, 1.5))],
)
def test_a_network_comes_back_bit_for_bit(count, widths, tmp_path):
    network = learned(count, widths=widths)
    record = {"seed": 2, "accuracy": 0.1 + 0.2, "parents": {"a": [1, None]}, "name": "Läufer"}
    before = tiny.snapshot(network)
    save_checkpoint(network, tmp_path / "one.pt", record)
    assert tiny.same_state(before, tiny.snapshot(network))
    back = load_checkpoint(tmp_path / "one.pt")
    assert back.record == record
    assert back.network.specs == network.specs
    assert back.network.seen == [data.seen for data in TASKS[:count]]
    for data, recipe in zip(TASKS, back.network.recipes, strict=False):
        assert recipe.values == data.recipe.values
        assert recipe.arrays.keys() == data.recipe.arrays.keys()
        assert all(np.array_equal(recipe.arrays[key], it) for key, it in data.recipe.arrays.items())
    assert describe(back.network.ownership.body) == describe(network.ownership.body)
    assert torch.equal(back.network.ownership.weights.owner, network.ownership.weights.owner)
    for position, data in enumerate(TASKS[:count], start=1):
        pair = network, back.network
        assert tiny.same_state(*(each.settled(data.task).state_dict() for each in pair))
        old, new = (each.ownership.weights.shares(position) for each in pair)
        assert old == new
    save_checkpoint(back.network, tmp_path / "another name.pt", record)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


def test_loading_and_predicting_take_no_compiler(path):
    """It takes two seconds to load, and would be for shapes without memory alone."""
    code = (
        "import sys, numpy, torch, crossback_core\n"
        "assert not {'torch._dynamo', 'sympy'} & {*sys.modules}\n"
        f"crossback_core.load({str(path)!r}).predict(numpy.zeros((8, 8, 3), 'uint8'), task='4')\n"
        "print(sorted({'torch._dynamo', 'sympy'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_what_came_back_can_be_trained_on(tmp_path):
    """As if there had been no file in between: the same bits."""
    straight = learned(1)
    save_checkpoint(straight, tmp_path / "one.pt")
    back = load_checkpoint(tmp_path / "one.pt").network
    for network in (straight, back):
        torch.manual_seed(1)
        network.add_task(tiny.spec(TASKS[1]), like=TASKS[0].task)
        tiny.train_target(network, TASKS[1])
    first, second = tiny.logits_of(straight, *TASKS[:2]), tiny.logits_of(back, *TASKS[:2])
    assert all(map(torch.equal, first, second))


def test_picks_must_be_final(tmp_path):
    network = learned(2)
    network.ownership.weights.start_picking(initial=0.01, threshold=0.005)
    with pytest.raises(ValueError, match="call stop_picking before saving"):
        save_checkpoint(network, tmp_path / "one.pt")
    assert not (tmp_path / "one.pt").exists()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 255), min_size=1, max_size=9, unique=True).flatmap(
        lambda owners: arrays(np.uint8, (3, 7), elements=st.sampled_from(owners))
    )
)
def test_owners_come_back_from_as_few_bits_as_they_need(owner):
    packed = pack_owners(owner)
    kinds = len(np.unique(owner))
    assert len(packed["planes"]) == int(np.ceil(np.log2(kinds)))
    assert all(len(plane) == 3 for plane in packed["planes"])  # 21 bits
    assert np.array_equal(unpack_owners(packed, (3, 7), tasks=255), owner)


def test_an_array_that_tasks_share_is_stored_once(path, tmp_path):
    texts = tiny.task_data("5", "text")
    network = load_checkpoint(path).network
    network.add_task(tiny.spec(texts), recipe=texts.recipe)
    save_checkpoint(network, tmp_path / "three.pt")
    stored = torch.load(tmp_path / "three.pt", weights_only=True)["recipes"]
    kinds = [torch.uint8, torch.float16, torch.uint8, torch.uint8]
    assert [array.dtype for array in stored["arrays"]] == kinds
    places = [stored["tasks"][task]["arrays"] for task in (1, 2)]
    assert places == [{"words": 0, "table": 1, "trained": trained} for trained in (2, 3)]
    assert load_checkpoint(tmp_path / "three.pt").network.recipes[2].values == {"longest": 5}


@pytest.mark.parametrize("modalities", [("image", "text"), ("text", "image")])
def test_two_tasks_take_little_more_than_one_dense_model(modalities, tmp_path):
    """The default network: masks are bits, and a task's own parameters are few."""
    config = load_settings(yaml.safe_load(CONFIG.read_text()))
    torch.manual_seed(0)
    network = Network(Perceiver(config.datasets["icons"].preset.model))
    channels = {"image": 3, "text": 128}
    specs = [
        TaskSpec(str(n), kind, tuple("abcde"), channels[kind])
        for n, kind in enumerate(modalities, 1)
    ]
    network.add_task(specs[0])
    network.ownership.weights.prune_to(0.7)
    network.add_task(specs[1], like="1")
    drop_picks(network)
    save_checkpoint(network, tmp_path / "one.pt", {"settings": "x" * 4000})
    size, dense = (tmp_path / "one.pt").stat().st_size, dense_bytes(network, "2")
    assert dense < size <= 1.15 * dense, "weights are kept in full"


def test_dense_bytes_by_hand():
    """A text network of one task: four bytes for each number."""
    network = learned(2, widths=(1.0, 2.0))
    body = (8 * 8) * 4 + (8 * 8) * 4 + (8 * 8) * 2  # decoder, self-attention, reader
    body += 2 * 3 * (8 * 16)  # two feed-forward blocks
    biases = 3 * 8 + 2 * (16 + 16 + 8)
    norms = 8 * (8 + 8)
    own = 4 * 8 + 8 + 8 * 8 + 2 * 8 * 8 + (2 * 8 + 2)  # latents, query, positions, key/value, head
    assert dense_bytes(network, TASKS[1].task) == 4 * (body + biases + norms + own)


def refused(path: Path, *words: str) -> None:
    """Check that a file is refused with one clear message."""
    with pytest.raises(ValueError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    for word in (re.escape(str(path)), "remove it and run again", *words):
        assert re.search(word, message), message
    assert message.isprintable() and len(message) < 1000


def foreign(path: Path, *words: str) -> None:
    """Check that a file is refused, and that nobody is told to remove it."""
    with pytest.raises(ValueError, match=".*".join((re.escape(str(path)), *words))) as caught:
        load_checkpoint(path)
    assert "remove" not in str(caught.value)


@pytest.mark.parametrize("name", ["README.md", "table.csv", "archive.zip"])
def test_a_file_of_another_sort_is_nobodys_to_remove(path, name):
    other = path.with_name(name)
    if name == "archive.zip":
        torch.save([torch.zeros(2)], other)
        foreign(other, "holds one list, not named entries")
    else:
        other.write_text("# CrossBack: what is it?")
        foreign(other, "is no archive of tensors .truncated.*: give another file")


def test_a_missing_checkpoint_is_an_error(tmp_path):
    """Nothing ever starts from random instead."""
    path = tmp_path / "target_3.pt"
    message = f"{re.escape(str(path))} does not exist: make it first"
    with pytest.raises(FileNotFoundError, match=message):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match=f"{re.escape(str(tmp_path))} is a folder"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("part", [0, 0.5, 0.9999])
def test_a_truncated_file_is_refused(path, part):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    refused(path, "truncated or no archive")


def test_a_flipped_bit_is_refused_or_of_no_consequence(path):
    """Anywhere in the file: parts, their names, the list of parts, the end."""
    whole = path.read_bytes()
    expected = tiny.snapshot(load_checkpoint(path).network)
    end = len(whole)
    places = {*range(0, 400, 9), *range(0, end, 997), *range(end - 4000, end, 41)}
    outcomes = []
    for position in sorted(places):
        spoiled = bytearray(whole)
        spoiled[position] ^= 1 << position % 8
        path.write_bytes(spoiled)
        try:
            back = load_checkpoint(path)
        except ValueError as error:
            assert str(path) in str(error)
            outcomes.append("refused")
        else:
            assert back.record == {"seed": 2}
            assert tiny.same_state(tiny.snapshot(back.network), expected)
            outcomes.append("of no consequence")
    assert outcomes.count("refused") > 0.4 * len(outcomes)


def test_a_malicious_checkpoint_runs_nothing(path, tmp_path):
    mark = tmp_path / "mark"
    payload = torch.load(path, weights_only=True)
    torch.save({**payload, "values": Malicious(mark)}, path)
    foreign(path, "holds more than plain values and tensors .GLOBAL.: do not trust it")
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the file is as malicious as the test means it to be"


GONE = object()


def changed(held: Any, place: list[str], new: Any) -> Any:
    """Return what is held with one place changed; text holds JSON."""
    if not place:
        return new(held) if callable(new) else new
    if isinstance(held, str):
        return json.dumps(changed(json.loads(held), place, new))
    first, *rest = place
    parts = dict(enumerate(held)) if isinstance(held, list) else dict(held)
    key = int(first) if isinstance(held, list) else first
    parts[key] = changed(parts.get(key), rest, new)
    parts = {key: part for key, part in parts.items() if part is not GONE}
    return [*parts.values()] if isinstance(held, list) else parts


def rewrite(path: Path, place: str, new: Any, *, digest: bool = True) -> None:
    """Change what a checkpoint holds; its hash is made to fit unless told otherwise."""
    payload = changed(torch.load(path, weights_only=True), place.split("/"), new)
    if digest and "digest" in payload:
        payload["digest"] = network_file._digest(payload)
    save_archive(payload, path)


@pytest.mark.parametrize(
    "key",
    ["format", "body", "tasks", "record", "values", "inputs", "heads", "seen", "recipes", "digest"],
)
def test_an_entry_that_is_missing_or_of_another_type_is_named(path, key):
    rewrite(path, key, 1.5, digest=key != "digest")
    refused(path, f"entry {key} is a float, not a ")
    rewrite(path, key, GONE)
    if key == "format":
        foreign(path, "is of another program: give a checkpoint, such as")
    else:
        refused(path, f"entry {key} is missing")


OUT = "values/masked/decoder.out.weight"
LATENTS = "values/copies/1/latents"
SEEN = "seen/0/train"
PLACES = "recipes/tasks/1/arrays"
THREE_OWNERS = {"owners": [0, 1, 2], "planes": []}
TOO_MANY = {"owners": [0, 1, 2], "planes": [torch.full((8,), 255).byte()] * 2}


@pytest.mark.parametrize(
    ("place", "new", "words"),
    [
        ("format", CHECKPOINT_FORMAT + 1, f"format {CHECKPOINT_FORMAT + 1}"),
        ("format", True, "entry format is a bool, not a int"),
        ("extra\x1b[2J", 1, r"unknown entries: \['extra\\x1b\[2J'\]"),
        ("record", "{", "entry record: Expecting"),
        ("record", "5", "entry record is a int, not a dict"),
        ("record", '{"loss": NaN}', "entry record: NaN is not a JSON number"),
        ("record", '{"loss": 1e999}', "entry record: 1e999 is not a JSON number"),
        ("record", '{"seed": 1, "seed": 2}', "entry record: the key 'seed' is there twice"),
        ("tasks", "[[]]", r"a task is \[\], not keys with their values"),
        ("tasks", "{}", "entry tasks is a dict, not a list"),
        ("tasks", '[{"task": 1}]', "classes"),
        ("body", "[]", "entry body is a list, not a dict"),
        ("body/settings", [], "entry settings is a list, not a dict"),
        ("body", '{"name": "os"}', "unknown body 'os'; known: perce"),
        ("tasks/0/colour", "red", r"keys of a task missing or unknown: \['colour'\]"),
        ("tasks/0/modality", "audio", "unknown modality 'audio'; known: image, text"),
        ("tasks/0/task", "9", "already has a task 9"),
        ("tasks/0/task", None, "task null is not an id"),
        ("tasks/0/task", "\x1b[2J4", r"task '\\x1b\[2J4' is not an id: .* without control char"),
        ("tasks/0/modality", ["image"], r"modality \['image'\] is not an id"),
        ("tasks/0/task", 4, "task 4 is not an id"),
        ("tasks/0/name", GONE, r"keys of a task missing or unknown: \['name'\]"),
        ("tasks/0/name", "\x1b[2Jcats", r"a task is named '\\x1b\[2Jcats', which is no name"),
        ("tasks/0/name", 4, "a task is named 4, which is no name"),
        ("tasks/0/classes", ["a", "b"], r"heads.0.weight is .*\(3, 8\), the model needs .*\(2, 8"),
        ("tasks/0/classes", ["a", 1, {}], "are not names"),
        ("tasks/0/classes", "abc", "entry classes is a str, not a list"),
        ("tasks/0/classes", ["a", "a", "a"], r"classes \['a', 'a', 'a'\] are not all different"),
        ("tasks/0/width", 1.5, "the model"),
        ("tasks/0/width", True, "width True is not a number from 1"),
        ("tasks/0/width", float("inf"), "entry tasks: Infinity is not a JSON number"),
        ("body/settings/image_std", [0.5, 0, 0.5], "body.image_std.1: 0 .* it must be above 0"),
        ("body/settings/dropout", "a", "body.dropout: 'a' is not allowed; it must be a number"),
        ("body/settings/latents", 10**9, r"[0-9]+ values, the model has 160[0-9]{8}"),
        ("body/settings/blocks", 10**9, "the model"),
        ("body/settings/blocks", 0, "body.blocks: 0 is not allowed; it must be at least 1"),
        ("body/settings/depth", 2, "body.depth: unknown key 'depth'"),
        (OUT, GONE, "the model"),
        (OUT, [], "decoder.out.weight is a list"),
        (f"{OUT}/value", torch.zeros(4, 16), r"decoder.out.weight is torch.float32 \(4, 16\)"),
        (f"{OUT}/value", torch.zeros(8, 8).double(), "decoder.out.weight is torch.float64"),
        (f"{OUT}/picks", [], "0 pick masks for 2 tasks"),
        (f"{OUT}/picks", [torch.zeros(3).byte()], "a mask of .* bits needs .* bytes"),
        (f"{OUT}/owner", THREE_OWNERS, "0 bit planes cannot tell 3"),
        (f"{OUT}/owner", {"owners": [3], "planes": []}, "owner 3 but only 2 tasks"),
        (f"{OUT}/owner/owners", [0.5, 1, 2], r"owners \[0.5, 1, 2\] are not numbers of tasks"),
        (f"{OUT}/picks/0", lambda picks: picks[:, None], "a mask of .* bits needs .* bytes"),
        (f"{OUT}/value", torch.full((8, 8), float("inf")), "out.weight has the value inf"),
        (f"{OUT}/owner", TOO_MANY, "owner code 3 but only 3 owners"),
        ("values/copies/1", GONE, "copies of 1 task, the network has 2"),
        (LATENTS, GONE, "unknown: copies.2.latents"),
        ("values/copies/1/extra", torch.zeros(1), "missing or unknown: copies.2.extra"),
        (LATENTS, torch.zeros(4, 9), r"2.latents is .* \(4, 9\), the model .* \(4, 8\)"),
        (LATENTS, 1.0, "copies.2.latents is a float"),
        (LATENTS, torch.full((4, 8), float("nan")), "latents has the value nan"),
        ("heads/1/bias", torch.full((2,), float("-inf")), "heads.1.bias has the value -inf"),
        ("inputs/0/extra\x1b[2J" + "x" * 10**6, 1, r"parameters .*: inputs.0.extra\\x1b\[2Jx+"),
        ("values/fixed", {"a": torch.zeros(1)}, "unknown: fixed.a"),
        ("inputs/1", GONE, "1 inputs for 2 tasks"),
        ("heads/2", {}, "3 heads for 2 tasks"),
        ("heads/0/bias", GONE, "missing or unknown: heads.0.bias"),
        ("seen/1", GONE, "the samples of 1 task for 2 tasks"),
        ("seen/1", 1.5, "seen.1 is not of train and validation"),
        ("seen/0/validation", GONE, "seen.0 is not of train and validation"),
        ("seen/0/test", torch.zeros(0).long(), "seen.0 is not of train and validation"),
        (SEEN, [1, 2], "entry train is a list, not a Tensor"),
        (
            SEEN,
            lambda seen: seen.double(),
            r"seen.0.train is torch.float64 \(12,\), not torch.int64",
        ),
        (SEEN, lambda seen: seen[None], r"seen.0.train is torch.int64 \(1, 12\)"),
        (SEEN, lambda seen: seen.flip(0), "the numbers of seen.0.train do not ascend"),
        (SEEN, lambda seen: seen[[0, 0]], "the numbers of seen.0.train do not ascend"),
        ("recipes/tasks/1", GONE, "recipes of 1 task for 2 tasks"),
        ("recipes/extra", 1, r"unknown entries of recipes: \['extra'\]"),
        ("recipes/tasks/0", "picture", "recipes.tasks.0 is not of arrays and values"),
        ("recipes/tasks/0/values", "[]", "entry values is a list, not a dict"),
        ("recipes/tasks/0/values", "{", "recipes.tasks.0: Expecting"),
        ("recipes/tasks/0/values/size", 0, "recipe.size: 0 is not allowed; it must be at least 1"),
        ("recipes/tasks/0/values/size", 10**6, "recipe.size: 1000000 .* at most 1024"),
        ("recipes/tasks/0/values/mean", 1, "recipe.mean: unknown key 'mean'"),
        ("recipes/tasks/0/arrays", {"table": 0}, r"has the arrays \['table'\], not \[\]"),
        ("recipes/tasks/1/values/longest", 10**9, "recipe.longest: .* at most 16384"),
        ("recipes/tasks/1/values/longest", 9, "recipe.longest is 9, of 8 positions"),
        ("recipes/tasks/1/values/encoder", "/x", "recipe.digest: is missing"),
        ("recipes/tasks/1/arrays", {}, r"has the arrays \[\], not \['table', 'trained', 'words'\]"),
        (f"{PLACES}/words", 3, "recipes.tasks.1: 'words' is none of the 3 arrays"),
        (f"{PLACES}/words", True, "recipes.tasks.1: 'words' is none of the 3 arrays"),
        (f"{PLACES}/words", 1, "words of a recipe are float16"),
        (f"{PLACES}/table", 0, "table of a recipe is uint8"),
        ("recipes/arrays/1", lambda table: table[:, :7], r"table .*\(17, 7\), not float16 \(17, 8"),
        ("recipes/arrays/1", lambda table: table / 0, "table of a recipe holds a number"),
        ("recipes/arrays/1", lambda table: table.float(), "recipes.arrays.1 is no array"),
        ("recipes/arrays/0", lambda words: words[6:], "are not .PAD. and others, each one once"),
        (
            "recipes/arrays/0",
            lambda words: words + 180,
            "recipes.*utf-8.|is not a checkpoint.*utf-8",
        ),
        (f"{PLACES}/trained", 1, r"trained tokens of a recipe are float16 \(17, 8\), not bits"),
        ("recipes/arrays/3", torch.zeros(1).byte(), "recipes have 4 arrays, of which 3 are used"),
    ],
)
def test_contents_that_describe_no_network_are_refused(path, place, new, words):
    """With a hash that fits: the checks do not lean on it."""
    rewrite(path, place, new)
    refused(path, words)


@pytest.mark.parametrize(
    ("place", "new"),
    [
        (LATENTS, lambda latents: latents + 1e-3),
        (f"{OUT}/picks/0", lambda picks: picks + 1),
        ("heads/1/bias", lambda bias: bias + 1),
        ("record/seed", 3),
        ("seen/0", None),
        ("recipes/tasks/0", None),
        ("recipes/arrays/1", lambda table: table + 1),
        (SEEN, lambda seen: seen[1:]),
        ("tasks/0/classes", ["c", "b", "a"]),
        ("digest", "0" * 64),
    ],
)
def test_contents_that_do_not_match_the_hash_are_refused(path, place, new):
    rewrite(path, place, new, digest=False)
    refused(path, "do not match its hash")


BEFORE = "0.2 before its release"


@pytest.mark.parametrize(("number", "version"), [(1, "0.1"), (2, BEFORE), (3, BEFORE), (4, BEFORE)])
def test_an_older_format_is_refused_with_the_version_that_wrote_it(path, number, version):
    """Not as damaged: its values would be read in another order."""
    rewrite(path, "format", number)
    message = f"is a checkpoint of format {number}, which crossback_core {version} wrote; this"
    refused(
        path,
        message,
        f"is {__version__}, which reads format {CHECKPOINT_FORMAT}: remove it and run again$",
    )


def test_a_task_file_is_told_apart(tmp_path):
    """It has a format of 1 as well, and is no file to remove."""
    save_task(TASKS[0], tmp_path / "task_4.pt")
    foreign(tmp_path / "task_4.pt", "is a task file, not a network: give it to load_task or to")


def test_a_failed_save_leaves_the_file_as_it_was(path, two_tasks):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(two_tasks, path, {"tensor": torch.zeros(1)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_checkpoint(two_tasks, path, {"loss": float("nan")})
    broken = learned(1)
    torch.nn.init.constant_(broken.heads[0].bias, torch.inf)
    with pytest.raises(ValueError, match="heads.0.bias has the value inf"):
        save_checkpoint(broken, path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
