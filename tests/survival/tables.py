"""Loaders of what a user or the workflow keeps about samples: tables, memories."""

from __future__ import annotations

import hashlib
import json
import os
from random import Random

import mutation
from loaders import OneFile, _plain

from crossback_core.data.kinds.folder import KIND, FolderSettings
from crossback_core.data.listing import list_samples
from crossback_core.data.split_memory import kept_splits
from crossback_core.storage import digests
from crossback_core.storage.digests import digest_of


def with_other_cells(sound: bytes, random: Random) -> bytes:
    """Return a table with other cells, or rows of another length."""
    rows = [line.split(",") for line in sound.decode().splitlines()]
    for _ in range(random.choice([1, 1, 3])):
        row = random.choice(rows)
        value = random.choice([*mutation.WORDS, *map(str, mutation.NUMBERS), "a\rb", '"', " ", "ä"])
        row[random.randrange(len(row))] = value
        if random.random() < 0.2:
            row.append(value)
    return "\n".join([*map(",".join, rows), ""]).encode("utf-8", "surrogateescape")


class Samples(OneFile):
    """The table of a folder of one's own, read as the workflow does to plan and to index."""

    def make(self) -> bytes:
        self.raw = self.folder / "raw"
        self.raw.mkdir()
        self.path = self.raw / "samples.csv"
        self.settings = FolderSettings(kind="folder", raw=str(self.raw))
        rows = ["task,class,path,text,group,split"]
        for number, split in enumerate(["train", "validation", "test"] * 2):
            name = "ab"[number // 3]
            rows.append(f"kitchen,{name},,a text of {number},g{number},{split}")
            rows.append(f"birds,{name},{number}.png,,,{split}")
            (self.raw / f"{number}.png").write_bytes(b"a picture")
        return "\n".join([*rows, ""]).encode()

    def forge(self, random: Random) -> bytes:
        return with_other_cells(self.sound, random)

    def load(self) -> None:
        tasks = KIND.tasks(self.settings)
        list_samples(self.raw, settings=self.settings, task=tasks[0])


class Splits(OneFile):
    """`kept_splits`, of a memory of splits."""

    def make(self) -> bytes:
        rows = ["group,split,drawn_by", 'a,train,"seed 2, 0.6 train"', 'b,test,"seed 2, 0.6 train"']
        return "\n".join([*rows, "null,validation,seed 3", ""]).encode()

    def forge(self, random: Random) -> bytes:
        return with_other_cells(self.sound, random)

    def load(self) -> None:
        kept_splits([self.path], "seed 3")


class Memory(OneFile):
    """`digest_of` with its memory, which refuses nothing: it reads the files again."""

    def make(self) -> bytes:
        self.root = self.folder / "root"
        self.root.mkdir()
        for name in ("a", "b"):
            (self.root / name).write_text(f"content of {name}")
            os.utime(self.root / name, (1, 1))
        stamps = {name: [[12, 1, 1, 1], hashlib.sha256().hexdigest()] for name in ("a", "b", "c")}
        self.stamps = stamps
        self.right = digest_of(self.root.iterdir(), root=self.root)
        return self.headed(json.dumps(stamps).encode())

    def headed(self, body: bytes) -> bytes:
        return f"{digests._header(body)}\n".encode() + body

    def forge(self, random: Random) -> bytes:
        """Let the hash of a memory fit wrong contents."""
        if random.random() < 0.5:
            return self.headed(mutation.damaged(self.sound.partition(b"\n")[2], random))
        values = mutation.altered({"value": self.stamps}, random)
        return self.headed(json.dumps(_plain(values.get("value"))).encode())

    def load(self) -> None:
        if digest_of(self.root.iterdir(), root=self.root, memory=self.path) != self.right:
            raise AssertionError("a digest is of what a memory says, not of what the files hold")


LOADERS: dict[str, type[OneFile]] = {"samples": Samples, "splits": Splits, "memory": Memory}
