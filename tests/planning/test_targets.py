from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.errors import TargetError, UsageError
from rebalance.planning.targets import SamplingStrategy, over_sampling_targets, parse_strategy

COUNTS = {"a": 100, "b": 50, "c": 7, "d": 7}


def parse(*texts: str) -> SamplingStrategy:
    def no_file(path: str) -> str:
        raise AssertionError(path)

    return parse_strategy(texts, no_file)


def targets(*texts: str, counts: dict[str, int] | None = None) -> list[int]:
    return list(over_sampling_targets(parse(*texts), COUNTS if counts is None else counts).values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", [100, 100, 100, 100]),
        ("not majority", [100, 100, 100, 100]),
        ("not-majority", [100, 100, 100, 100]),
        ("all", [100, 100, 100, 100]),
        ("minority", [100, 50, 100, 100]),
        ("not minority", [100, 100, 7, 7]),
        ("sqrt", [100, 71, 27, 27]),  # sqrt(5000) = 70.7, sqrt(700) = 26.5
        ("median", [100, 50, 29, 29]),  # (7 + 50) / 2 = 28.5
        ("mean", [100, 50, 41, 41]),  # 164 / 4
        ("1.0", [100, 100, 100, 100]),
        ("0.5", [100, 50, 50, 50]),
        (".07", [100, 50, 7, 7]),
        ("0.071", [100, 50, 8, 8]),
        ("60", [100, 60, 60, 60]),
        ("120", [120, 120, 120, 120]),
        ("c=9", [100, 50, 9, 7]),
    ],
)
def test_a_strategy_says_how_many_files_each_class_will_have(text: str, expected: list[int]) -> None:
    assert targets(text) == expected


def test_a_share_is_rounded_up_in_exact_arithmetic() -> None:
    assert targets("0.1", counts={"a": 104, "b": 5}) == [104, 11]
    assert targets("0.29", counts={"a": 100, "b": 28}) == [100, 29]
    assert targets("0.07", counts={"a": 100, "b": 5}) == [100, 7]


def test_the_square_root_of_five_and_five_thousand_is_159() -> None:
    assert targets("sqrt", counts={"a": 5000, "b": 5}) == [5000, 159]
    assert targets("sqrt", counts={"a": 25, "b": 4}) == [25, 10]


def test_exact_counts_repeat_and_split_at_the_last_equals_sign() -> None:
    assert targets("a=100", "x=y=9", counts={"a": 100, "x=y": 3}) == [100, 9]


def test_a_file_holds_exact_counts() -> None:
    strategy = parse_strategy(["@t.json"], lambda path: '{"c": 9, "b": 60}' if path == "t.json" else "")
    assert over_sampling_targets(strategy, COUNTS) == {"a": 100, "b": 60, "c": 9, "d": 7}


@pytest.mark.threat(76)
@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1.5}', '{"a": true}', '{"a": -1}', '{"a": 1, "a": 2}'])
def test_a_file_that_does_not_hold_counts_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"t\.json: not JSON of the form"):
        parse_strategy(["@t.json"], lambda _path: text)


@pytest.mark.threat(74)
@pytest.mark.parametrize(
    "text",
    ["", "0", "0.0", "1.5", "-3", "-0.5", "nan", "inf", "1e400", "1e-1", "0.1.2", "most", "a=1.5", "a=", "=3", "a=-1"],
)
def test_what_is_no_strategy_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match="--sampling-strategy"):
        parse(text)


def test_a_bare_one_is_refused_with_both_readings() -> None:
    with pytest.raises(UsageError, match=r"two readings: write 1\.0 .* or NAME=1"):
        parse("1")


def test_a_misspelt_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'not minority'"):
        parse("not-minorty")


@pytest.mark.parametrize("texts", [("auto", "0.5"), ("a=3", "auto"), ("a=3", "a=4")])
def test_strategies_that_exclude_each_other_are_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        parse(*texts)


@pytest.mark.threat(16)
def test_an_unknown_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="class 'Cat', which is not in the source; did you mean 'cat'"):
        targets("Cat=9", counts={"cat": 3, "dog": 4})


@pytest.mark.threat(75)
def test_a_count_below_the_present_one_is_refused_by_name() -> None:
    with pytest.raises(TargetError, match="class 'b' has 50 images and 49 are asked for"):
        targets("b=49")


def test_majority_is_refused_because_over_sampling_never_adds_to_it() -> None:
    with pytest.raises(UsageError, match="majority is for undersample"):
        targets("majority")


def test_a_class_without_images_is_refused_by_name() -> None:
    with pytest.raises(TargetError, match="class 'b' has no images"):
        targets("auto", counts={"a": 3, "b": 0})
    with pytest.raises(TargetError, match="no class folders"):
        targets("auto", counts={})


def test_a_strategy_is_described_alike_however_it_is_written() -> None:
    assert parse("auto").described() == parse("not-majority").described() == parse("all").described()
    assert parse("0.50").described() == parse(".5").described() == "1/2"
    assert parse("b=2", "a=1").described() == {"a": 1, "b": 2}


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 10**6), min_size=1, max_size=8),
    st.sampled_from(["auto", "minority", "not minority", "sqrt", "median", "mean", "0.3", "1.0", "77"]),
)
def test_no_class_ever_loses_an_image(counts: dict[str, int], text: str) -> None:
    result = over_sampling_targets(parse(text), counts)
    assert result.keys() == counts.keys()
    assert all(result[name] >= count for name, count in counts.items())


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 1000))
def test_a_share_is_the_least_count_that_reaches_it(first: int, second: int, thousandths: int) -> None:
    share = Fraction(thousandths, 1000)
    result = over_sampling_targets(SamplingStrategy(share=share), {"a": first, "b": second})
    largest, smallest = max(first, second), min(first, second)
    reached = min(result.values())
    assert reached >= share * largest
    assert reached == smallest or reached - 1 < share * largest
