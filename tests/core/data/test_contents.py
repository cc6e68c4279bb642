"""Hashes tell contents apart, and what is not known stays so."""

import hashlib

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from crossback_core.data.contents import Seen, content_hash, is_hash, joined
from crossback_core.data.modality import Packed

any_array = st.sampled_from([np.uint8, np.int16]).flatmap(
    lambda kind: arrays(kind, array_shapes(max_dims=2, max_side=2), elements=st.integers(0, 1))
)
hashes = st.frozensets(st.sampled_from([digit * 16 for digit in "0af"]))
seen = st.none() | st.builds(Seen, hashes, hashes)


def test_the_hash_is_that_of_the_bytes():
    wanted = hashlib.blake2b("ä".encode(), digest_size=8).hexdigest()
    assert content_hash("ä") == content_hash("ä".encode()) == wanted
    assert is_hash(wanted) and not any(map(is_hash, (wanted + "0", wanted.upper(), wanted[1:], 1)))
    assert is_hash(content_hash("\ud83d")), "half a character, as JSON may hold it"


@given(any_array, any_array)
def test_arrays_are_told_apart_by_type_shape_and_values(first, second):
    same = (first.dtype, first.shape) == (second.dtype, second.shape) and (first == second).all()
    assert (content_hash(first) == content_hash(second)) == same
    assert content_hash(first[::-1]) == content_hash(first[::-1].copy()), "as they lie in memory"


@given(seen, seen)
def test_two_trainings_saw_what_either_did(first, second):
    both = joined(first, second)
    assert both == joined(second, first)
    if first is None or second is None:
        assert both is None
    else:
        assert both.train == first.train | second.train
        assert both.validation == first.validation | second.validation


def test_a_modality_that_says_nothing_has_the_hashes_of_its_values():
    values = torch.arange(6.0).reshape(3, 2).t()  # not as they lie in memory
    alone = Packed(["", ""], values).contents_of([1])
    assert alone == (content_hash(np.array([1, 3, 5], dtype=np.float32).tobytes()),)
    assert Packed(["", ""], [None, values[1]]).contents_of([1]) == alone
    rows = torch.tensor([[1], [2]])
    assert Packed(["", ""], rows, torch.zeros(3, 2)).contents_of([0, 1]) is None
