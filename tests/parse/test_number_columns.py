"""A column of numbers that is shown at one stroke shows what each of them would show alone."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from frostbyte.data_plane.parse.office.number_columns import general_column
from frostbyte.data_plane.parse.office.xlsx_values import _general

_DIGITS = st.text("0123456789", min_size=1, max_size=17)
NUMBERS = st.one_of(
    st.floats(allow_nan=True).map(repr),
    st.floats(-1, 1).map(repr),
    st.floats(-1e9, 1e9).map(repr),
    st.decimals(-1000, 1000, places=3).map(str),
    st.integers(-(10**12), 10**12).map(str),
    st.tuples(st.sampled_from(["", "-", "+"]), _DIGITS, _DIGITS).map(lambda parts: f"{parts[0]}{parts[1]}.{parts[2]}"),
    # Halves: eleven digits, the last of them a five.
    st.tuples(st.integers(1, 10**9), st.integers(1, 9)).map(
        lambda n: f"{n[0] * 10 + 5:011d}"[: n[1]] + "." + f"{n[0] * 10 + 5:011d}"[n[1] :]
    ),
    # The same in more digits than such a number needs.
    st.tuples(st.integers(1, 10**9), st.integers(1, 9), st.sampled_from(["5", "50", "500000001", "499999999999"])).map(
        lambda n: f"{n[0]:010d}"[: n[1]].lstrip("0") + "." + f"{n[0]:010d}"[n[1] :] + n[2]
    ),
    st.text("0123456789.-eE+ \n", max_size=14),
    st.sampled_from(["0", "-0", "-0.0", "0.5", "1.0", "0.0001", "0.00009", "999.9999999999", "0.99999999995", "٣", ""]),
)


@given(st.lists(NUMBERS, min_size=1, max_size=8))
@example(["0.12345678905", "12345.678905", "1.25"])
@example(["0.5", "1\n0"])
@example(["12345.67890499999999", "-12345.678905000001", "0"])
@example(["2.0", "-0", "0.00", "0.05799892477470681234"])
@example(["999999999.95", "-0.00010000005", "99.99999999951"])
def test_a_column_shows_what_its_numbers_show(values: list[str]) -> None:
    column = general_column(values)
    if column is not None:
        assert list(zip(*column, strict=True)) == [_general(value) for value in values]


def test_columns_of_measurements_are_shown_at_one_stroke() -> None:
    assert general_column(["1", "-250", "12.5"]) == (["1", "-250", "12.5"], [None, None, None])
    assert general_column(["256.3436293522506", "0.1", "2.50"]) == (
        ["256.3436294", "0.1", "2.5"],
        ["256.3436293522506", None, None],
    )
    assert general_column(["0.057998924774706812", "0", "17.5"]) == (
        ["0.057998925", "0", "17.5"],
        ["0.057998924774706812", None, None],
    )
    assert general_column(["1e5", "2"]) is None
    assert general_column(["0.5", "0.000012345678901"]) is None
