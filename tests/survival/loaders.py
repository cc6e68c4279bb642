"""The loaders that are fuzzed: what they read, and how each of their inputs is spoilt."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import tarfile
import warnings
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import Any

import mutation
import numpy as np
import numpy.typing as npt
import torch
import yaml
from PIL import Image

from crossback_core.checkpoint import network_file as checkpoint
from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.config import load_settings
from crossback_core.data import TASK_FORMAT, load_index, load_task
from crossback_core.data.contents import Seen
from crossback_core.data.kinds.icons import KIND
from crossback_core.data.recipe import Recipe
from crossback_core.data.recipe_file import pack_recipes
from crossback_core.data.text_reader import completed
from crossback_core.data.unpack import Limits, unpack
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings
from crossback_core.records import RECORD_FORMAT, SelectionRecord, read_record
from crossback_core.storage import archive
from crossback_core.storage.archive import load_archive
from crossback_core.storage.files import read_csv
from crossback_core.storage.resume import ResumeFile

ROOT = Path(__file__).resolve().parents[2]
ICONS = ROOT / "data" / "icons"


class Loader(ABC):
    """One loader: a sound input, and the spoilt ones.

    Args:
        folder: All that it may write to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def spoil(self, random: Random) -> None:
        """Make the next input."""

    @abstractmethod
    def load(self) -> None:
        """Load it."""


class OneFile(Loader):
    """A loader of one file, whose content is spoilt byte by byte or in a way of its own.

    Attributes:
        names_file: Whether its errors do.
    """

    names_file = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "input"
        self.sound = self.make()

    @abstractmethod
    def make(self) -> bytes:
        """Return a sound file."""

    def forge(self, random: Random) -> bytes:
        """Return a spoilt file that is sound on the outside."""
        return mutation.damaged(self.sound, random)

    def spoil(self, random: Random) -> None:
        forged = random.random() < 0.6
        data = self.forge(random) if forged else mutation.damaged(self.sound, random)
        self.path.write_bytes(data)


def saved(payload: Any) -> bytes:
    """Return an archive as `save_archive` writes it."""
    file = io.BytesIO()
    torch.save(payload, file)
    return file.getvalue()


def rewritten(data: bytes, part: str, content: bytes, **options: Any) -> bytes:
    """Return an archive with another content of the part that ends so, checksums right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            if info.filename.endswith(part):
                new.writestr(info.filename, content, **options)
            else:
                new.writestr(info.filename, old.read(info))
    return file.getvalue()


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


# Run code, take memory, or never end, if one lets them.
CALLS = [
    Call(os.system, "touch escaped"),
    Call(subprocess.Popen, ["touch", "escaped"]),
    Call(eval, "open('escaped', 'w')"),
    Call(exec, "open('escaped', 'w')"),
    Call(open, "escaped", "w"),
    Call(shutil.rmtree, "escaped"),
    Call(bytearray, 10**12),
    Call(torch.zeros, 10**12),
    Call(torch.load, "escaped"),
    Call(np.zeros, 10**12),
]
HOSTILE_PICKLES = [
    *(pickle.dumps({"key": call}, protocol) for call in CALLS for protocol in (0, 2, 4)),
    b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",  # a dictionary that holds itself
    b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",  # depth
    b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo of two thousand million places
    b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x00.",  # BINBYTES8 of endless size
    b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.",  # FRAME of endless size
    b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
    b"(dp0\nS'a'\np1\ncos\nsystem\n(S'touch escaped'\ntRs.",
    b"\x80\x02ctorch.storage\n_load_from_bytes\n.",
    b"\x80\x02" + b"(" * 100_000,
    b".",
]


class Archive(OneFile):
    """`load_archive`, whose callers name the file."""

    names_file = False

    payload: dict[str, Any] = {
        "name": "text",
        "numbers": [1, 2.5, None, True],
        "tensors": {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(3, dtype=torch.uint8)},
    }

    def make(self) -> bytes:
        return saved(self.payload)

    def forge(self, random: Random) -> bytes:
        way = random.randrange(6)
        if way == 0:
            return rewritten(self.sound, "/data.pkl", random.choice(HOSTILE_PICKLES))
        if way == 1:
            with zipfile.ZipFile(io.BytesIO(self.sound)) as parts:
                listing = parts.read(next(n for n in parts.namelist() if n.endswith("/data.pkl")))
            return rewritten(self.sound, "/data.pkl", mutation.damaged(listing, random))
        if way == 2:
            part = random.choice(["/data/0", "/byteorder", "/version", "/data.pkl"])
            packed = {"compress_type": zipfile.ZIP_DEFLATED}
            return rewritten(self.sound, part, b"\0" * random.choice([0, 1, 10**6]), **packed)
        if way == 3:
            return self.with_wild_directory(random)
        return saved(self.altered(random))

    def altered(self, random: Random) -> dict[str, Any]:
        """Return a changed payload."""
        return dict(mutation.altered(self.payload, random))

    def with_wild_directory(self, random: Random) -> bytes:
        """Change sizes and offsets in the directory at the archive's end."""
        start = self.sound.rfind(b"PK\x01\x02", 0, self.sound.rfind(b"PK\x05\x06"))
        return self.sound[:start] + mutation.overwritten(self.sound[start:], random)

    def load(self) -> None:
        load_archive(self.path)


class Checkpoint(Archive):
    """`load_checkpoint`; a forger can make the hash fit."""

    names_file = True

    def make(self) -> bytes:
        settings = ModelSettings(2, 8, 1, 2, 4, 1, 4, 2, 0.0, 2, 10.0, 8, (0.5,) * 3, (0.5,) * 3)
        network = Network(Perceiver(settings))
        network.add_task(TaskSpec("1", "image", ("a", "b"), 3), recipe=Recipe({"size": 8}))
        network.remember(Seen(frozenset([16 * "0", 16 * "f"]), frozenset([16 * "5"])))
        texts = TaskSpec("2", "text", ("c", "d", "e"), 6, 1.5, "notes")
        network.add_task(texts, recipe=_recipe(np.zeros((2, 6), np.float16)))
        save_checkpoint(network, self.path, {"note": "sound"})
        self.payload = load_archive(self.path)
        return self.path.read_bytes()

    def altered(self, random: Random) -> dict[str, Any]:
        payload = dict(self.payload)
        if random.random() < 0.5:
            key = random.choice(["body", "tasks", "record", "recipes"])
            if key == "recipes":
                payload[key] = _with_altered_recipe(payload[key], random)
            else:
                payload[key] = _altered_text(payload[key], random)
        else:
            payload = super().altered(random)
        if random.random() < 0.9:
            payload["digest"] = _digest(payload, random)
        return payload

    def load(self) -> None:
        load_checkpoint(self.path)


def _recipe(table: npt.NDArray[np.float16]) -> Recipe:
    arrays = {"words": np.array([*b"[PAD]\na"], np.uint8), "table": table}
    return completed(Recipe({}, arrays), 3, [[1]])


def _altered_text(text: str, random: Random) -> str:
    values = mutation.altered({"value": json.loads(text)}, random).get("value")
    return json.dumps(_plain(values))


def _with_altered_recipe(packed: dict[str, Any], random: Random) -> dict[str, Any]:
    """Change the values of one recipe, which are text."""
    task = random.choice(packed["tasks"])
    changed = task | {"values": _altered_text(task["values"], random)}
    return packed | {"tasks": [changed if each is task else each for each in packed["tasks"]]}


def _digest(payload: dict[str, Any], random: Random) -> str:
    """Return the hash that fits, where it can be computed in reason."""
    try:
        archive._check_extent(payload, values=10_000, size=10**6)
        return checkpoint._digest(payload)
    except (ValueError, TypeError, RuntimeError):
        return str(random.random())


def _plain(value: Any) -> Any:
    """Return nested values without those that JSON has no form for."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return "bomb" if len(value) == 10 and isinstance(value[0], list) else [*map(_plain, value)]
    return value if isinstance(value, str | int | float | None) else repr(value)[:100]


class Task(Archive):
    """`load_task`, of pictures and of texts."""

    names_file = True

    def make(self) -> bytes:
        self.payload = {
            "format": TASK_FORMAT,
            "task": "2",
            "name": "notes",
            "modality": "text",
            "classes": ["a", "b"],
            "table": torch.tensor([[0, 0], [1, 2]], dtype=torch.float16),
        }
        for name in ("train", "validation", "test"):
            tokens = torch.ones(2, 3, dtype=torch.int32)
            self.payload[name] = {"labels": torch.arange(2), "ids": ["x", "y"], "values": tokens}
            self.payload[name]["contents"] = [16 * "0", 16 * "f"]
        self.payload["recipe"] = pack_recipes([_recipe(self.payload["table"].numpy())])
        return saved(self.payload)

    def load(self) -> None:
        load_task(self.path)


class Resume(Archive):
    """`ResumeFile.load`, which refuses nothing: it starts again."""

    names_file = True

    def make(self) -> bytes:
        self.file = ResumeFile(self.path, "key")
        self.payload = {"key": self.file.key, "state": dict(Archive.payload)}
        return saved(self.payload)

    def load(self) -> None:
        state = self.file.load()
        if state is None:
            raise ValueError(f"{self.path} was not resumed from")
        if not isinstance(state, dict):
            raise TypeError("a state is no dictionary")


class Index(OneFile):
    """`load_index`."""

    def make(self) -> bytes:
        rows = ["id,task,class,modality,split,group,source"]
        for number, split in enumerate(["train", "validation", "test"] * 2):
            rows.append(f"s{number},1,{'ab'[number // 3]},image,{split},g{number},x.png#{number}")
        return "\n".join([*rows, ""]).encode()

    def forge(self, random: Random) -> bytes:
        rows = [line.split(",") for line in self.sound.decode().splitlines()]
        for _ in range(random.choice([1, 1, 3])):
            row = random.choice(rows)
            value = random.choice([*mutation.WORDS, *map(str, mutation.NUMBERS), mutation.LONG])
            row[random.randrange(len(row))] = value
        return "\n".join([*map(",".join, rows), ""]).encode("utf-8", "surrogateescape")

    def load(self) -> None:
        load_index(self.path)


class Json(OneFile):
    """`read_record`."""

    def make(self) -> bytes:
        ranking = [{"candidate": "3", "modality": "image", "similarity": 0.5}]
        ranking.append({"candidate": "17", "modality": "täxt", "similarity": None})
        choice = {"target": "1", "modality": "image", "backbone": "3", "backbone_modality": "image"}
        choice |= {"similarity": 0.5, "score": "knn", "candidates": "all", "ranking": ranking}
        made_of = {"versions": {"numerics": 1, "torch": "2.13.0"}, "settings": {"score": "knn"}}
        made_of["parents"] = {"similarity": {"path": "a.csv", "sha256": "0" * 64}}
        return json.dumps({"format": RECORD_FORMAT} | choice | made_of).encode()

    def load(self) -> None:
        read_record(SelectionRecord, self.path)


class Table(OneFile):
    """`read_csv`."""

    def make(self) -> bytes:
        rows = ["target,modality,similarity", "3,image,0.25", '17,"an,image",-1e-05', "8,image,"]
        return "\n".join([*rows, ""]).encode()

    def load(self) -> None:
        read_csv(self.path, names=("target",))


class Settings(Loader):
    """`load_settings`, of what a YAML parser makes of a hostile file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = (ROOT / "config.yaml").read_text(encoding="utf-8")
        self.sound: dict[str, Any] = yaml.safe_load(text)
        self.config: Any = None

    def spoil(self, random: Random) -> None:
        if random.random() < 0.9:
            self.config = self._altered(random)
            return
        data = b"seed: 1\nrun: [a]\npresets: " + random.choice(
            [b"&a [*a]", b"{a: &a [1], b: *a}", b"[" * 50, b"{? [1] : 2}", b"!!set {a, b}", b"~"]
        )
        try:
            self.config = yaml.safe_load(mutation.damaged(data, random))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
            self.config = mutation.hostile_value(random)  # Snakemake's matter: it parses the file

    def _altered(self, random: Random) -> Any:
        changed: Any = self.sound
        for _ in range(random.choice([1, 1, 2])):
            changed = mutation.altered(changed, random) or {"seed": 1}
        return _without_tensors(changed)

    def load(self) -> None:
        load_settings(self.config)


def _without_tensors(value: Any) -> Any:
    """Replace what no YAML file can hold; what is in two places stays in two places."""
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, dict):
        return {key: _without_tensors(value[key]) for key in value}
    flat = isinstance(value, list) and not any(isinstance(item, list) for item in value)
    return [_without_tensors(item) for item in value] if flat else value


class Icons(Loader):
    """The reader of the icons: one of the files of a small copy is spoilt."""

    CLASSES = ("cat", "dog")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.raw = folder / "icons"
        (self.raw / "images").mkdir(parents=True)
        self._write_sound()
        files = [path for path in sorted(self.raw.rglob("*")) if path.is_file()]
        self.sound = {path: path.read_bytes() for path in files}
        config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        self.settings = load_settings(config).datasets["icons"].dataset
        self.spoilt = files[0]

    def _write_sound(self) -> None:
        tasks = [
            {"task": 1, "name": "one", "modality": "image", "classes": list(self.CLASSES)},
            {"task": 2, "name": "two", "modality": "text", "classes": list(self.CLASSES)},
        ]
        (self.raw / "tasks.yaml").write_text(yaml.safe_dump(tasks))
        tiles, texts = ["class,tile,group,source,id"], ["class,synset,group,id,text,tokens"]
        for name in self.CLASSES:
            sheet = np.random.default_rng(0).integers(0, 255, (32, 320, 3), dtype=np.uint8)
            Image.fromarray(sheet).save(self.raw / "images" / f"{name}.png")
            tiles += [f"{name},{tile},g{tile},s,i-{name}-{tile}" for tile in range(10)]
            texts += [f"{name},{row},t{row},t-{name}-{row},a b,a b" for row in range(10)]
        (self.raw / "images.csv").write_text("\n".join(tiles) + "\n")
        (self.raw / "texts.csv").write_text("\n".join(texts) + "\n")
        (self.raw / "vocabulary.txt").write_text("[PAD]\na\nb\n")
        np.save(self.raw / "embeddings.npy", np.ones((3, 4), dtype=np.float16))

    def spoil(self, random: Random) -> None:
        self.spoilt.write_bytes(self.sound[self.spoilt])
        self.spoilt = random.choice(sorted(self.sound))
        data = mutation.damaged(self.sound[self.spoilt], random)
        if self.spoilt.name == "tasks.yaml" and random.random() < 0.3:
            data = random.choice(HOSTILE_YAML)
        if self.spoilt.suffix == ".npy" and random.random() < 0.5:
            data = _npy_of(random)
        self.spoilt.write_bytes(data)

    def load(self) -> None:
        index = KIND.index(self.raw, self.settings)
        sources = index["source"].tolist()
        pictures = [source for source in sources if source.startswith("images/")]
        texts = [source for source in sources if source.startswith("texts.csv")]
        KIND.readers["image"](self.raw, pictures, self.settings, threads=1)
        KIND.readers["text"](self.raw, texts, self.settings, threads=1)


def _npy_of(random: Random) -> bytes:
    """Return an array file whose header promises another shape or type than it has."""
    shape = random.choice(["(3, 4)", "(10**9,)", f"({10**6}, {10**6})", "(-1, 4)", "()", "(3, 0)"])
    kind = random.choice(["<f2", "|O", "<f8", "<U999999999", "|V2147483647"])
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 24


HOSTILE_YAML = [
    b"a: &a [1,1]\n"
    + b"".join(b"%c: &%c [*%c,*%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 121)),
    b"- &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"- &%c [*%c,*%c,*%c,*%c,*%c]\n" % (n + 1, n, n, n, n, n) for n in range(97, 121)),
    b"&a [*a]",
    b"- {task: 1, modality: image, classes: &c [*c]}",
    b"[" * 100_000,
    b"- " * 3000 + b"x",
    b"{a: " * 3000,
    b"!!python/object/apply:os.system ['touch escaped']",
    b"- {task: 1, modality: image, classes: [../../escaped]}",
    b"- {task: 1, modality: image, classes: [/etc/passwd]}",
    b"- {task: 1, modality: image, classes: ['\\0']}",
    b"- {task: .inf, modality: image, classes: [cat]}",
    b"- {task: 99999999999999999999999, modality: image, classes: [cat]}",
]


class Unpacking(OneFile):
    """`unpack`, of zip and tar archives with members that lead elsewhere."""

    NAMES = ["a/b", "../escaped", "/tmp/escaped", "a/../../escaped", "..", ".", "", "a\\..\\b"]
    NAMES += ["a", "a/", "b\0c", "x" * 300, "a/b/c", "con", "~/.x", "C:\\x", "ü/\udcff", "a//b"]
    LIMITS = Limits(size=1 << 20, members=50)

    def make(self) -> bytes:
        return _zip_of([("a/b.txt", b"one"), ("c.txt", b"two" * 100)])

    def spoil(self, random: Random) -> None:
        suffix = random.choice([".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
        self.path = self.folder / f"input{suffix}"
        members = [(random.choice(self.NAMES), b"x" * random.choice([0, 10])) for _ in range(4)]
        if random.random() < 0.1:
            members.append(("burst", b"\0" * (4 << 20)))
        make = _zip_of if suffix == ".zip" else _tar_of
        try:
            data = make(members, random, suffix)
        except (ValueError, UnicodeError):
            data = self.sound
        self.path.write_bytes(data if random.random() < 0.5 else mutation.damaged(data, random))

    def load(self) -> None:
        unpack({"input": self.path}, self.folder / "out", notes={"note": "x"}, limits=self.LIMITS)


def _zip_of(members: list[tuple[str, bytes]], random: Random | None = None, _: str = "") -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            if random is not None:
                modes = [0, 0o100644, 0o120777, 0o060000, 0o010000]
                info.external_attr = random.choice(modes) << 16
            packed.writestr(info, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _tar_of(members: list[tuple[str, bytes]], random: Random, suffix: str) -> bytes:
    file = io.BytesIO()
    mode = {".tar": "w", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}.get(suffix, "w:gz")
    with tarfile.open(fileobj=file, mode=mode) as packed:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            kinds = [tarfile.REGTYPE] * 4 + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE]
            info.type = random.choice([*kinds, tarfile.DIRTYPE, tarfile.FIFOTYPE])
            info.linkname = random.choice(["/tmp/escaped", "../../escaped", "a", ""])
            info.size = len(content) if info.type == tarfile.REGTYPE else 0
            packed.addfile(info, io.BytesIO(content))
    return file.getvalue()


LOADERS: dict[str, type[Loader]] = {
    "checkpoint": Checkpoint,
    "task": Task,
    "archive": Archive,
    "resume": Resume,
    "index": Index,
    "json": Json,
    "table": Table,
    "settings": Settings,
    "icons": Icons,
    "unpack": Unpacking,
}
