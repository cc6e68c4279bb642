"""Which samples each class gets: pictures from many icon sets, glosses unlike one another."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icons_builder.classes import ClassEntry, ClassList, Task, shuffle_key
from icons_builder.drawing import draw
from icons_builder.glosses import (
    FEWEST_WORDS,
    Nouns,
    Plurals,
    definition,
    fingerprints,
    hyponyms,
    masked,
    own_words,
    words_of,
)
from icons_builder.pictures import (
    Icon,
    Picture,
    distinct,
    plain_name,
    round_robin,
    usable,
    wanted_icons,
)
from icons_builder.sources import read_json

SetInfo = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Gloss:
    """One text sample: the definition of a synset, as WordNet has it and as shown."""

    offset: str
    plain: str
    shown: str


def read_icons(package: Path, names: frozenset[str]) -> tuple[SetInfo, dict[str, list[Icon]]]:
    """Icons of the sets that may be used.

    Args:
        package: The icon package.
        names: Plain names of the icons asked for.

    Returns:
        What is known of each set by prefix, and the icons by plain name.
    """
    (collections,) = read_json(package, "package/collections.json")
    infos: SetInfo = {prefix: info for prefix, info in collections.items() if usable(info)}
    icons = defaultdict(list)
    for icon_set in read_json(package, "package/json/*.json"):
        # A few sets are not listed: older copies of others.
        if icon_set["prefix"] in infos:
            for icon in wanted_icons(icon_set, names):
                icons[plain_name(icon.name)].append(icon)
    return infos, dict(icons)


def picture_candidates(
    entry: ClassEntry, icons: dict[str, list[Icon]], classes: ClassList
) -> list[Picture]:
    """Return a class's pictures: drawn, without the dropped, the blank and the near-duplicates.

    Args:
        entry: The class.
        icons: Icons by plain name.
        classes: Seed of the order, and which sets are one family.

    Returns:
        Pictures in turns from all families of sets.
    """
    drawn = [draw(icon) for name in entry.names for icon in icons.get(name, ())]
    unlike = distinct(round_robin(drawn, classes))
    # Dropped last: before, a near-duplicate of what is dropped would take its place.
    kept = [picture for picture in unlike if not entry.drops(picture.icon.source)]
    return round_robin(kept, classes)


def gloss_candidates(tasks: Iterable[Task], nouns: Nouns) -> dict[str, dict[str, str]]:
    """Definitions that belong to one class only, among the classes of some tasks.

    Args:
        tasks: The tasks.
        nouns: WordNet's nouns.

    Returns:
        By class name, the definitions by synset offset.
    """
    entries = [entry for task in tasks for entry in task.classes]
    texts = {entry.name: _definitions(nouns, entry) for entry in entries}
    lowered = ({text.lower() for text in found.values()} for found in texts.values())
    owners = Counter(text for found in lowered for text in found)
    return {
        name: {offset: text for offset, text in found.items() if owners[text.lower()] == 1}
        for name, found in texts.items()
    }


def _definitions(nouns: Nouns, entry: ClassEntry) -> dict[str, str]:
    """Definitions of a class's hyponyms by offset, each text once; what is dropped goes whole."""
    dropped = {below.offset for top in entry.dropped for below in hyponyms(nouns, top)}
    offsets: dict[str, str] = {}
    for synset in hyponyms(nouns, entry.synset):
        if synset.offset not in dropped.union(entry.dropped):
            offsets.setdefault(definition(synset.gloss), synset.offset)
    return {offset: text for text, offset in offsets.items()}


def choose_glosses(
    entry: ClassEntry, definitions: dict[str, str], own: list[str], *, seed: int
) -> list[Gloss]:
    """Return a class's texts in a seeded order, masked, none a near-duplicate of an earlier one.

    Args:
        entry: The class.
        definitions: By synset offset.
        own: Words to mask.
        seed: Of the order.

    Returns:
        All that can be chosen, best first.
    """
    chosen: list[Gloss] = []
    seen: set[tuple[str, ...]] = set()
    for offset in sorted(definitions, key=lambda key: shuffle_key(seed, entry.name, key)):
        gloss = Gloss(offset, definitions[offset], masked(definitions[offset], own))
        marks = set(fingerprints(gloss.shown))
        if len(words_of(gloss.shown)) >= FEWEST_WORDS and seen.isdisjoint(marks):
            seen |= marks
            chosen.append(gloss)
    return chosen


def all_glosses(classes: ClassList, nouns: Nouns, plurals: Plurals) -> dict[str, list[Gloss]]:
    """Return the texts of all classes; wide classes count as one task, so that they can be joined.

    Args:
        classes: The class list.
        nouns: WordNet's nouns.
        plurals: Irregular plurals.

    Returns:
        By class name, what it can choose from, best first.
    """
    tasks = classes.of("text")
    circles = [[task] for task in tasks if not task.wide] + [[t for t in tasks if t.wide]]
    chosen: dict[str, list[Gloss]] = {}
    for circle in circles:
        found = gloss_candidates(circle, nouns)
        for entry in (entry for task in circle for entry in task.classes):
            own = own_words(entry.name, nouns[entry.synset], plurals)
            chosen[entry.name] = choose_glosses(entry, found[entry.name], own, seed=classes.seed)
    return chosen
