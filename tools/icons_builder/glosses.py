"""WordNet: the glosses of a class's hyponyms, with the class's own words masked."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MASK = "[MASK]"
FEWEST_WORDS = 3


@dataclass(frozen=True)
class Synset:
    """A noun synset: its lemmas, the synsets below it, and its gloss."""

    offset: str
    words: tuple[str, ...]
    below: tuple[str, ...]
    gloss: str


Nouns = dict[str, Synset]
Plurals = dict[str, frozenset[str]]


def read_synset(line: str) -> Synset:
    """Read one line of data.noun (format: wndb(5WN))."""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    words = fields[4 : 4 + 2 * count : 2]
    pointers = fields[5 + 2 * count :]
    below = [
        offset
        for symbol, offset, part in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=False)
        if symbol in ("~", "~i") and part == "n"
    ]
    lemmas = tuple(word.replace("_", " ") for word in words)
    return Synset(fields[0], lemmas, tuple(below), gloss.strip())


def read_nouns(text: str) -> Nouns:
    """Read data.noun; the licence at its top is indented and left out."""
    synsets = (read_synset(line) for line in text.splitlines() if line[:1].isdigit())
    return {synset.offset: synset for synset in synsets}


def read_plurals(text: str) -> Plurals:
    """Read noun.exc: irregular plurals by singular."""
    plurals: dict[str, set[str]] = {}
    for line in text.splitlines():
        plural, *singulars = line.replace("_", " ").split(" ")
        for singular in singulars:
            plurals.setdefault(singular, set()).add(plural)
    return {singular: frozenset(forms) for singular, forms in plurals.items()}


def hyponyms(nouns: Nouns, offset: str) -> list[Synset]:
    """All synsets below one, instances included, sorted by offset."""
    found: set[str] = set()
    waiting = list(nouns[offset].below)
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(nouns[current].below)
    return [nouns[key] for key in sorted(found)]


def definition(gloss: str) -> str:
    """Return the definition part of a gloss: what comes before the first "; "."""
    return gloss.partition("; ")[0].strip()


def plural_forms(word: str, plurals: Plurals) -> set[str]:
    """Regular and irregular plurals of a noun or of a phrase that ends in one."""
    *front, last = word.split(" ")
    forms = set(plurals.get(last, ())) | {f"{last}s", f"{last}es"}
    if last.endswith("y"):
        forms.add(f"{last[:-1]}ies")
    return {" ".join((*front, form)) for form in forms}


def own_words(name: str, synset: Synset, plurals: Plurals) -> list[str]:
    """Return what gives a class away: words of its name and its synset's lemmas, and plurals.

    Args:
        name: The class's name, one word or more.
        synset: The class's synset.
        plurals: Irregular plurals.

    Returns:
        Words and phrases in lower case, longest first.
    """
    singulars = {word.lower() for word in (*name.split(), *synset.words)}
    forms = singulars.union(*(plural_forms(word, plurals) for word in singulars))
    return sorted(forms, key=lambda word: (-len(word), word))


def masked(text: str, words: Iterable[str]) -> str:
    """Return a text with whole words replaced by [MASK], whatever their case."""
    pattern = "|".join(re.escape(word) for word in words)
    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", MASK, text, flags=re.IGNORECASE)


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, masks left out."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.replace(MASK, " ").lower())


def fingerprints(text: str) -> Iterator[tuple[str, ...]]:
    """Return the words of a text, whole and with each one left out.

    Two texts that differ in one word (another, one more or one fewer) share a fingerprint.
    """
    words = tuple(words_of(text))
    yield words
    for position in range(len(words)):
        yield words[:position] + words[position + 1 :]


def groups_of(texts: dict[str, str]) -> dict[str, str]:
    """Group texts that are near-duplicates of one another, chains included.

    Args:
        texts: Text by key.

    Returns:
        By key, the lowest key of its group.
    """
    leader = {key: key for key in texts}

    def lead(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    owner: dict[tuple[str, ...], str] = {}
    for key in sorted(texts):
        for mark in fingerprints(texts[key]):
            first, second = sorted((lead(owner.setdefault(mark, key)), lead(key)))
            leader[second] = first
    return {key: lead(key) for key in texts}
