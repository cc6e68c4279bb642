"""What tasks have seen comes back from as few bytes as its hashes have."""

from hypothesis import given
from hypothesis import strategies as st

from crossback_core.checkpoint.seen_file import pack_seen, unpack_seen
from crossback_core.data.contents import Seen

hashes = st.frozensets(st.binary(min_size=8, max_size=8).map(bytes.hex), max_size=5)
seen = st.none() | st.builds(Seen, hashes, hashes)


@given(st.lists(seen, max_size=4))
def test_what_was_seen_comes_back(seen):
    packed = pack_seen(seen)
    for before, after in zip(seen, packed, strict=True):
        if before is not None and after is not None:
            sizes = {role: part.nbytes for role, part in after.items()}
            assert sizes == {role: 8 * len(known) for role, known in vars(before).items()}
    assert unpack_seen(packed, tasks=len(seen)) == seen
