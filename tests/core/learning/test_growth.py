"""The widths that a target tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.learning.growth import widths


@pytest.mark.parametrize(
    ("start", "step", "maximum", "expected"),
    [
        (1.0, 0.5, 2.0, [1.0, 1.5, 2.0]),  # the published set-up
        (1.0, 0.5, 1.9, [1.0, 1.5]),
        (1.0, 0.1, 1.7, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]),  # 1.7 in spite of rounding
        (1.0, 0.5, 1.0, [1.0]),
        (2.0, 0.5, 1.5, [2.0]),  # a backbone wider than the maximum is used as it is
    ],
)
def test_widths_by_hand(start, step, maximum, expected):
    assert widths(start, step=step, maximum=maximum) == pytest.approx(expected)


@given(st.floats(1, 4), st.floats(0.01, 2), st.floats(1, 8))
def test_widths_ascend_from_the_start_to_the_maximum(start, step, maximum):
    tried = widths(start, step=step, maximum=maximum)
    assert tried[0] == start
    assert all(later > earlier for earlier, later in zip(tried, tried[1:], strict=False))
    assert tried[-1] <= max(start, maximum) + 1e-6
    assert tried[-1] + step > maximum - 1e-6


@pytest.mark.parametrize("step", [0.0, -0.5])
def test_a_step_that_leads_nowhere(step):
    with pytest.raises(ValueError, match=f"width_step {step} must be positive"):
        widths(1.0, step=step, maximum=2.0)
