"""Damages bytes, texts and nested values, by a seeded generator."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import torch

LONG = "9" * 400
NUMBERS = [0, -1, 1, 255, 256, 2**31, 2**32 - 1, 2**62, 2**63, 2**70, -(2**63), 10**12]
WORDS = ["", "\0", "../../escaped", "/tmp/escaped", "nan", "1e400", "A" * 5000, "\udcff", "%s{0}"]
PIECES = [
    *(str(number).encode() for number in NUMBERS),
    *(word.encode("utf-8", "surrogateescape") for word in WORDS),
    *(b"\xff\xfe\xfd", b"\n", b",", b'"', b"'", b"[", b"]", b"{", b"}", b":", b"- ", b"#", b"\t"),
    *(b"&a ", b"*a ", b"!!python/object/apply:os.system ['touch escaped']\n"),
    *(b"<<: *a\n", b"---\n"),
    *(b"NaN", b"Infinity", b"-", b"0x", b"null", b"true", b"[" * 3000, b"{" * 3000),
    *(LONG.encode(), b"[" * 100_000, b'{"a":' * 50_000, b"\\u0000"),
]


def damaged(data: bytes, random: Random) -> bytes:
    """Damage bytes once to three times."""
    for _ in range(random.choice([1, 1, 2, 3])):
        data = random.choice(DAMAGES)(data, random)
    return data


def truncated(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def flipped(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 4, 32]) if data else 0):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, random: Random) -> bytes:
    """Put extreme integers of four or eight bytes somewhere, as sizes and offsets are."""
    place, width = random.randrange(len(data) + 1), random.choice([2, 4, 8])
    value = random.choice([0, 1, 2**15, 2**31, 2**63, 2**64 - 1]) % 2 ** (8 * width)
    order = random.choice(["little", "big"])
    return data[:place] + value.to_bytes(width, order) + data[place + width :]


def inserted(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice(PIECES) + data[place + random.choice([0, 0, 1, 8]) :]


def cut(data: bytes, random: Random) -> bytes:
    first, last = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:first] + data[min(last, first + 200) :]


def repeated(data: bytes, random: Random) -> bytes:
    first = random.randrange(len(data) + 1)
    return data[: first + 64] + data[first:]


def replaced(data: bytes, random: Random) -> bytes:
    return random.choice([b"", b"\0" * 64, random.randbytes(200), *PIECES])


DAMAGES = [truncated, flipped, flipped, overwritten, inserted, inserted, cut, repeated, replaced]


def nested(depth: int, kind: type = list) -> Any:
    """Return containers in containers."""
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def bomb() -> list[Any]:
    """Return a list that unfolds to 10**12 values."""
    value: list[Any] = [0] * 10
    for _ in range(11):
        value = [value] * 10
    return value


def hostile_value(random: Random) -> Any:
    """Return a value that is likely of the wrong type, size or shape."""
    plain = [None, True, 0.5, float("nan"), float("inf"), b"bytes", [], {}, (), *NUMBERS, *WORDS]
    makers = [
        lambda: random.choice(plain),
        lambda: random.choice(plain),
        lambda: nested(random.choice([3, 60, 200]), random.choice([list, dict])),
        bomb,
        lambda: torch.zeros(()),
        lambda: torch.zeros(0, 3),
        lambda: torch.full((3,), float("nan")),
        lambda: torch.zeros(1).expand(10 ** random.randrange(3, 13)),
        lambda: torch.zeros(2, dtype=random.choice([torch.int64, torch.bool, torch.complex64])),
        lambda: torch.arange(6).reshape(2, 3).t(),
    ]
    return random.choice(makers)()


def altered(value: Any, random: Random) -> Any:
    """Copy nested values and change one of them, or its key."""
    value = copy.deepcopy(value)
    places = _places(value)
    if not places:
        return value
    holder, key = random.choice(places)
    action = random.choice(["replace", "replace", "replace", "remove", "add", "nudge"])
    if action == "remove":
        del holder[key]
    elif action == "add" and isinstance(holder, dict):
        holder[random.choice(["extra", "", "../../escaped"])] = hostile_value(random)
    elif action == "nudge":
        holder[key] = _nudged(holder[key], random)
    else:
        holder[key] = hostile_value(random)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List where a nested value can be changed: containers with a key or position of each."""
    places = _keys(value)
    for holder, key in places:  # which grows: places in what is in these places
        if len(places) > 10_000:
            break
        inner = holder[key]
        if isinstance(inner, dict | list):
            places += _keys(inner)
    return places


def _keys(inner: Any) -> list[tuple[Any, Any]]:
    return [(inner, key) for key in (inner if isinstance(inner, dict) else range(len(inner)))]


def _nudged(value: Any, random: Random) -> Any:
    """Change a value into a like one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value * random.choice([-1, 2, 1000, 10**9]) + random.choice([-1, 0, 1])
    if isinstance(value, str):
        return damaged(value.encode(), random).decode("utf-8", "replace")
    if isinstance(value, torch.Tensor):
        changes = [value[:0], value[1:], value.double(), value[None], value.flatten(), value + 1]
        return random.choice(changes) if value.ndim else value[None]
    return value * 2 if isinstance(value, list) else {}
