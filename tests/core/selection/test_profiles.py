"""Profiling inputs: what a mutation may touch, what is kept, and what it costs."""

from collections import Counter

import plain_similarity
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossback_core.selection import profiles
from crossback_core.selection.profiles import ProbeHalf, Probes, mutate

KINDS = ("image", "text", "mixed")
STEP = 0.25  # a power of two, so that adding and taking away is exact


@pytest.mark.parametrize("kind", KINDS)
def test_mutation_equals_a_plain_implementation(kind, pairs, model):
    probes, models = pairs[kind], (model(1), model(2, classes=3))
    moves = profiles.draw_mutations(probes, rounds=40, seed=7)
    expected, scores = plain_similarity.mutate(probes, models, moves, STEP)

    mutated = mutate(probes, models, rounds=40, step=STEP, seed=7)

    assert len(scores) > 10, "the case should keep a good part of its moves"
    for half, values in zip(mutated.halves, expected, strict=True):
        assert torch.equal(half.values, values)


def test_objective_by_hand():
    start = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    first = torch.tensor([[3.0, 4.0], [0.0, 0.0]])  # change (5 + 0) / 2, spread 5
    second = torch.tensor([[0.0, 0.0], [0.0, 2.0]])  # change (0 + 2) / 2, spread 2
    assert profiles.objective([start, start], [first, second]) == pytest.approx(2.5 * 5 * 1 * 2)


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    seed=st.integers(0, 2**31),
    rounds=st.integers(0, 60),
)
def test_padding_is_never_touched(lengths, seed, rounds):
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    half = ProbeHalf(torch.zeros(len(lengths), 6, 3), mask, "text")
    probes = Probes(half, half)
    for move in profiles.draw_mutations(probes, rounds=rounds, seed=seed):
        assert mask[move.row, move.position // 3]


def test_every_real_coordinate_is_drawn_about_as_often():
    mask = torch.tensor([[False, True, True], [True, False, False]])
    half = ProbeHalf(torch.zeros(2, 3, 2), mask, "text")
    counts = Counter(profiles.draw_mutations(Probes(half, half), rounds=4000, seed=0))
    # 1000 rounds an input: 4 coordinates of input 0, 2 of input 1, in either half
    expected = dict.fromkeys([(0, 2), (0, 3), (0, 4), (0, 5)], 250)
    expected |= dict.fromkeys([(1, 0), (1, 1)], 500)
    assert {(move.row, move.position) for move in counts} == expected.keys()
    for move, count in counts.items():
        assert count == pytest.approx(expected[move.row, move.position], rel=0.25)


def test_arguments_stay_as_they_are_and_the_seed_decides(pairs, model):
    before = [half.values.clone() for half in pairs["mixed"].halves]
    first, again, other = (
        mutate(pairs["mixed"], (model(1), model(2)), rounds=50, step=STEP, seed=seed)
        for seed in (5, 5, 6)
    )
    for half, values, after in zip(pairs["mixed"].halves, before, first.halves, strict=True):
        assert torch.equal(half.values, values)
        assert half.values.data_ptr() != after.values.data_ptr()
    assert torch.equal(first.first.values, again.first.values)
    assert torch.equal(first.second.values, again.second.values)
    assert not torch.equal(first.first.values, other.first.values)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_touched_input_is_read_again(kind, pairs, model):
    inner, reads = model(1), []

    def counting(half):
        reads.append(len(half))
        return inner(half)

    mutate(pairs[kind], (counting, model(2)), rounds=50, step=STEP, seed=0)
    assert reads[:2] == [6, 6], "the start is read in one batch a half"
    assert sum(reads[2:]) == 2 * 50, "a round reads its one input, moved up and moved down"
    assert len(reads) < 2 + 50, "rounds that do not meet share a batch"


def test_a_constant_model_keeps_nothing(pairs, model):
    models = model(1), lambda half: torch.ones(len(half), 5)
    mutated = mutate(pairs["image"], models, rounds=20, step=STEP, seed=0)
    for half, before in zip(mutated.halves, pairs["image"].halves, strict=True):
        assert torch.equal(half.values, before.values)


def test_outputs_stack_the_pairs(pairs, model):
    probes, reader = pairs["mixed"], model(1, classes=4)
    result = profiles.outputs(reader, probes)
    assert result.shape == (12, 4)
    assert torch.allclose(result[:6].float(), reader(probes.first))
    assert torch.allclose(result[6:].float(), reader(probes.second))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (torch.full((6, 5), float("nan")), "outputs on image probes hold NaN or infinity"),
        (torch.full((6, 5), float("inf")), "outputs on image probes hold NaN or infinity"),
        (torch.zeros(6), r"must return \(6, classes\).* not \(6,\)"),
    ],
)
def test_outputs_that_are_no_answers_are_refused(made, message, pairs):
    with pytest.raises(ValueError, match=message):
        profiles.outputs(lambda half: made, pairs["image"])


@pytest.mark.parametrize(
    ("values", "mask", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.uint8), None, "floating tensor .* not torch.uint8"),
        (torch.zeros(0, 3), None, "n of at least 1"),
        (torch.zeros(2, 3, 4), torch.ones(2, 3), "mask must be bool"),
        (torch.zeros(2, 3, 4), torch.ones(2, 4, dtype=torch.bool), r"shape \(2, 3\), not"),
        (torch.zeros(2, 3, 4), torch.tensor([[True] * 3, [False] * 3]), "one real token"),
    ],
)
def test_probes_that_cannot_be_read_are_refused(values, mask, message):
    with pytest.raises(ValueError, match=message):
        ProbeHalf(values, mask, "text")


def test_halves_of_different_size_are_refused():
    halves = [ProbeHalf(torch.zeros(count, 3), None, "image") for count in (2, 3)]
    with pytest.raises(ValueError, match="2 and 3 were given"):
        Probes(*halves)
