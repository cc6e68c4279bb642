"""Frozen text encoders of Hugging Face: texts become rows of a table of their embeddings.

`transformers` and `torch` are imported only when texts are read: planning needs neither, training
needs no `transformers`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from crossback_core.data.contents import content_hash
from crossback_core.data.recipe import Recipe
from crossback_core.data.text import Texts, check_characters, read_caption
from crossback_core.lazy import Lazy
from crossback_core.wording import printable

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")

logger = logging.getLogger(__name__)

_MANY_UNKNOWN = 0.25  # of all tokens
_BATCH = 32  # texts that go through an encoder at a time
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
# What tells one tokenizer from another of the same vocabulary: case, accents, marks, scripts.
_PROBE = "Na\u00efve COOKS don't co-operate; 12.5% of \u6f22\u5b57 \u2014 or [MASK]?\n"
_PROBES = 100  # words of its own, in capitals
_PARTS = "config.json, model.safetensors and the tokenizer's files"


class ReadsTexts(Protocol):
    """Settings of a data set that reading texts needs."""

    @property
    def encoder(self) -> str:
        """Name on the Hugging Face Hub, or folder, of the model that represents texts."""

    @property
    def representation(self) -> str:
        """Its token embeddings ("tokens"), or its last hidden states ("contextual")."""

    @property
    def text_length(self) -> int:
        """Tokens of a text; longer ones are cut."""


def folder_of(encoder: str) -> Path | None:
    """Return the folder that an encoder is in; None for one that is named as on the Hub.

    Raises:
        FileNotFoundError: It looks like a path, and there is no such folder.
    """
    path = Path(encoder)
    if path.is_dir():
        return path
    beside_others = "/" in encoder and path.parent.is_dir()
    if _HUB_NAME.fullmatch(encoder) and not path.exists() and not beside_others:
        return None
    beside = f", as there is a folder {path.parent} here" if beside_others else ""
    raise FileNotFoundError(
        f"encoder {encoder!r} is not a folder: {path.absolute()} should hold {_PARTS}{beside}; or "
        "give the name of a model on the Hugging Face Hub"
    )


def read_text_files(
    raw: Path, sources: Sequence[str], settings: ReadsTexts, *, threads: int = 1
) -> Texts:
    """Read text files, whose sources are paths under `raw`, with the configured encoder."""
    return encode([read_caption(raw / source) for source in sources], settings)


def encode(texts: Sequence[str], settings: ReadsTexts) -> Texts:
    """Tokenise texts and give each token its frozen embedding.

    The tokenizer's special tokens, such as [CLS] and [SEP], are kept; they count as tokens.

    Args:
        texts: At least one.
        settings: Of the data set.

    Returns:
        The texts; those of which the encoder knows no token, special ones aside, have none. With
        `representation` "tokens" the table is that of the encoder's input embeddings; with
        "contextual" it holds the last hidden state of each token of each text.

    Raises:
        OSError: If there is no such encoder here and it cannot be downloaded.
        ValueError: If the encoder is incomplete, its tokenizer is another one's, or `text_length`
            does not fit it; or a text is damaged.
    """
    return load_encoder(settings).encode(texts)


@dataclass(frozen=True, eq=False)
class Encoder:
    """A tokenizer with its encoder, as settings ask for it.

    Attributes:
        settings: Of the data set.
        tokenizer: Of the library.
        model: Of the library.
    """

    settings: ReadsTexts
    tokenizer: Any
    model: Any

    def encode(self, texts: Sequence[str], *, warn: bool = True) -> Texts:
        """Return texts as rows of a table, see `encode`; `warn` of many unknown tokens, or not."""
        name = self.settings.encoder
        ids = _tokens(self.tokenizer, texts, self.settings.text_length, warn=warn)
        if self.settings.representation == "contextual":
            with _one_thread(), torch.inference_mode():
                found = _contextual(self.model, ids, name)
        else:
            found = Texts(ids, self.table())
        _check_apart(found, name)
        contents = [content_hash(text) for text in texts]
        return replace(found, contents=contents, recipe=self._recipe())

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of whole texts, without those that the tokenizer adds to each."""
        found: list[list[int]] = self.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]
        return found

    def kept(self, words: list[int]) -> list[int]:
        """Return those of a text's own tokens that are read: it is cut where it is too long."""
        most = self.settings.text_length - self.tokenizer.num_special_tokens_to_add()
        return words[-most:] if self.tokenizer.truncation_side == "left" else words[:most]

    def digest(self) -> str:
        """Return a hash of all that decides how it reads, whatever files that is stored in."""
        vocabulary = sorted(self.tokenizer.get_vocab().items())
        words = [word.upper() for word, _ in vocabulary if word.isalpha()][:_PROBES]
        probe = self.tokenizer([_PROBE, " ".join(words)], verbose=False)["input_ids"]
        digest = hashlib.sha256(json.dumps([vocabulary, probe]).encode())
        if self.settings.representation == "tokens":
            digest.update(self.table().tobytes())
            return digest.hexdigest()
        for name, weights in sorted(self.model.state_dict().items()):
            if "pooler" not in name:  # not used, and random where a file lacks it
                digest.update(weights.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def table(self) -> npt.NDArray[np.float16]:
        """Return the table of its input embeddings (rows, width)."""
        weights = self.model.get_input_embeddings().weight.detach().numpy()
        return _half(weights, self.settings.encoder)

    def _recipe(self) -> Recipe:
        return Recipe(
            {
                "encoder": self.settings.encoder,
                "digest": self.digest(),
                "representation": self.settings.representation,
                "text_length": self.settings.text_length,
            }
        )


def load_encoder(settings: ReadsTexts, *, download: bool = True) -> Encoder:
    """Load an encoder that fits the settings.

    Args:
        settings: Of a data set.
        download: Whether it may be asked for where it is not on this machine.

    Raises:
        OSError: As `encode`.
        ValueError: As `encode`, the texts aside.
    """
    tokenizer, model = _load(settings.encoder, download=download)
    _check_vocabulary(tokenizer, model, settings)
    _check_length(tokenizer, model, settings)
    return Encoder(settings, tokenizer, model)


def _check_apart(texts: Texts, name: str) -> None:
    """Refuse embeddings that are all alike, as those of an encoder are that was not saved well."""
    used = np.unique(np.concatenate([np.asarray(ids, dtype=np.int64) for ids in texts.ids]))
    rows = texts.embeddings[used]
    if len(used) > 1 and (rows == rows[0]).all():
        raise ValueError(
            f"encoder {name!r} gives all {len(used)} tokens of these texts the same embedding, as"
            " far as float16 tells: give another"
        )


def _tokens(tokenizer: Any, texts: Sequence[str], length: int, *, warn: bool) -> list[list[int]]:
    """Return the token ids of texts; none where all are special ones, [UNK] among them."""
    for text in texts:
        check_characters(text)
    given: list[list[int]] = tokenizer(
        list(texts), truncation=True, max_length=length, padding=False
    )["input_ids"]
    unknown = sum(ids.count(tokenizer.unk_token_id) for ids in given)
    if warn and unknown > _MANY_UNKNOWN * sum(map(len, given)):
        logger.warning(
            "the encoder does not know %d of %d tokens, which are all alike to it: is it one for"
            " texts like these?",
            unknown,
            sum(map(len, given)),
        )
    special = set(tokenizer.all_special_ids)
    return [[] if special.issuperset(ids) else ids for ids in given]


def _load(name: str, *, download: bool) -> tuple[Any, Any]:
    """Load a tokenizer and its encoder, whole."""
    from transformers import AutoModel, AutoTokenizer

    folder_of(name)
    try:
        # Where nothing is said about code that a model brings along, whoever sits there is asked.
        wanted = {"trust_remote_code": False, "local_files_only": not download}
        tokenizer = AutoTokenizer.from_pretrained(name, **wanted)
        model, report = AutoModel.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True, **wanted
        )
    except Exception as error:  # each library beneath has its own kinds
        raise OSError(
            f"encoder {name!r} could not be loaded. Give the name of a Hugging Face model that "
            "this machine can download or has in its cache (HF_HOME; HF_HUB_OFFLINE=1 looks only "
            f"there), or a local folder that holds {_PARTS} ({_first_line(error)})"
        ) from error
    # transformers fills what a file lacks with random numbers. The pooler is not used here.
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise ValueError(f"encoder {name!r} lacks the weights {', '.join(missing[:3])}")
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    return tokenizer, model.eval()


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return printable(line, longest=200)  # some are coloured


def _check_vocabulary(tokenizer: Any, model: Any, settings: ReadsTexts) -> None:
    """Refuse a tokenizer that does not belong to the embeddings.

    A folder without tokenizer files gives one of special tokens alone, to which all words are
    unknown; a token that was added without a row of its own has no embedding. A table may well have
    some more rows than there are tokens.
    """
    try:
        rows = len(model.get_input_embeddings().weight)
    except (NotImplementedError, AttributeError) as error:  # such as hashes of characters
        if settings.representation == "contextual":
            return
        raise ValueError(
            f"encoder {settings.encoder!r} has no table of token embeddings: set representation to "
            "contextual"
        ) from error
    tokens = 1 + max(tokenizer.get_vocab().values(), default=-1)
    if not rows / 2 <= tokens <= rows:
        raise ValueError(
            f"encoder {settings.encoder!r}: its tokenizer has {tokens} tokens, its embeddings "
            f"{rows} rows; they do not belong together. Give the tokenizer's files that were saved "
            "with the model, and a row to each token that was added"
        )


def _check_length(tokenizer: Any, model: Any, settings: ReadsTexts) -> None:
    least = tokenizer.num_special_tokens_to_add() + 1
    most = settings.text_length
    if settings.representation == "contextual":
        positions = getattr(model.config, "max_position_embeddings", None) or 0
        most = min(most, positions if positions > 0 else most, tokenizer.model_max_length)
    if not least <= settings.text_length <= most:
        raise ValueError(
            f"text_length is {settings.text_length}: encoder {settings.encoder!r} takes texts of "
            f"{least} to {most} tokens"
        )


def _contextual(model: Any, ids: list[list[int]], name: str) -> Texts:
    """Return texts in which each token has a table row of its own: its last hidden state."""
    lengths = [len(text) for text in ids]
    ends = np.cumsum(lengths)
    table = np.zeros((int(ends[-1]) + 1, model.config.hidden_size), dtype=np.float16)
    rows = [
        list(range(end - length + 1, end + 1)) for end, length in zip(ends, lengths, strict=True)
    ]
    # Texts of one length side by side, so that little is computed for padding.
    order = sorted((row for row, length in enumerate(lengths) if length), key=lengths.__getitem__)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        try:
            found = _hidden_states(model, [ids[place] for place in batch])
        except (IndexError, RuntimeError) as error:  # some have fewer positions than they say
            raise ValueError(
                f"encoder {name!r} cannot read a text of {lengths[batch[-1]]} tokens "
                f"({_first_line(error)}): lower text_length"
            ) from error
        for place, states in zip(batch, found, strict=True):
            table[rows[place]] = _half(states[: lengths[place]], name)
    return Texts(rows, table, words=ids)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, however many a job has: more threads round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _hidden_states(model: Any, ids: list[list[int]]) -> npt.NDArray[np.float32]:
    """Return the last hidden states (texts, longest, hidden)."""
    longest = max(map(len, ids))
    tokens = torch.zeros(len(ids), longest, dtype=torch.int64)
    mask = torch.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = 1
    states = model(input_ids=tokens, attention_mask=mask).last_hidden_state
    return np.asarray(states.numpy(), dtype=np.float32)


def _half(values: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float16]:
    """Return values as float16, as task files hold them."""
    limit = np.finfo(np.float16).max
    if not (np.abs(values) <= limit).all():
        raise ValueError(
            f"encoder {name!r} gives NaN, or values beyond {limit}, which float16 cannot hold"
        )
    return values.astype(np.float16)
