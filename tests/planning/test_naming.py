import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.dataset import to_bytes, to_text
from rebalance.planning.naming import (
    Place,
    all_differ,
    all_portable,
    format_of,
    generated_path,
    is_portable,
    look_alikes,
    original_path,
)


def place_of(path: str) -> Place:
    return Place.of(path, path.partition("/")[0])


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("c/a.jpg", ".jpg"), ("c/a.JPEG", ".JPEG"), ("c/a.png", ".png"), ("c/a.webp", ".webp"), ("c/a.bmp", ".bmp"),
        ("c/a.ppm", ".ppm"), ("c/a.tif", ".tif"), ("c/a.TIFF", ".TIFF"), ("c/a.gif", ".png"), ("c/a.pgm", ".png"),
        ("c/a.b.jpg", ".jpg"), ("c/a.mpo", ".jpg"),
    ],
)  # fmt: skip
def test_common_suffixes_are_kept_and_others_become_png(path: str, suffix: str) -> None:
    assert generated_path(place_of(path), "augmented", 0, 2).endswith(suffix)


def test_a_byte_for_byte_copy_keeps_any_suffix() -> None:
    assert generated_path(place_of("c/a.gif"), "duplicate", 0, 2, None).endswith(".gif")


@pytest.mark.parametrize(
    ("path", "output_format", "expected", "written_as"),
    [
        ("c/a.JPG", "jpeg", "c/a.JPG", None), ("c/a.jpeg", "jpeg", "c/a.jpeg", None),
        ("c/a.png", "jpeg", "c/a.jpg", "JPEG"), ("c/a.jpg", "png", "c/a.png", "PNG"),
        ("c/a.b.gif", "webp", "c/a.b.webp", "WEBP"), ("c/a.gif", "same", "c/a.png", "PNG"),
        ("c/a.mpo", "same", "c/a.jpg", "JPEG"), ("c/a.bmp", "same", "c/a.bmp", None),
        ("c/a.gif", None, "c/a.gif", None),
    ],
)  # fmt: skip
def test_an_encoded_original_has_the_suffix_of_its_format(
    path: str, output_format: str | None, expected: str, written_as: str | None
) -> None:
    assert original_path(place_of(path), output_format) == expected
    assert format_of(expected, path) == written_as


def test_a_generated_file_lies_beside_its_source_and_says_what_it_is() -> None:
    path = generated_path(place_of("Hat/4f1c.jpg"), "augmented", 0, 2)
    assert path.startswith("Hat/4f1c_aug2-")
    assert len(path) == len("Hat/4f1c_aug2-7d03a1b6c2e4.jpg")


names = st.binary(min_size=1, max_size=255).filter(lambda name: not {b"/"[0], 0} & set(name))


@pytest.mark.threat(10, 17)
@given(names, st.integers(1, 10**6))
def test_a_name_of_any_bytes_fits_255_and_survives(name: bytes, copy_number: int) -> None:
    path = generated_path(place_of("c/" + to_text(name)), "augmented", 0, copy_number)
    assert len(to_bytes(path)) <= 2 + 255
    assert to_text(to_bytes(path)) == path


@given(st.text(alphabet="é漢😀", min_size=60, max_size=120))
def test_a_cut_stem_ends_with_a_whole_character(stem: str) -> None:
    generated_path(place_of(f"c/{stem}.jpg"), "augmented", 0, 1).encode("utf-8", "strict")


@pytest.mark.threat(15)
def test_names_that_differ_by_case_or_unicode_form_are_found() -> None:
    pairs = list(look_alikes(["Cat", "cat", "dog", "é", "e\u0301", "Straße", "STRASSE"]))
    assert pairs == [("Cat", "cat"), ("é", "e\u0301"), ("Straße", "STRASSE")]


@pytest.mark.threat(18)
@pytest.mark.parametrize("name", ["con.jpg", "AUX", "a:b", "a?", "a ", "a.", "lpt1.png", "a\nb"])
def test_a_name_that_windows_refuses_is_not_portable(name: str) -> None:
    assert not is_portable(name)
    assert is_portable("console.jpg")


@pytest.mark.parametrize(
    ("source", "class_name", "split", "prefix", "expected"),
    [
        ("Hat/a.jpg", "Hat", None, "", "Hat/a.jpg"), ("Hat/a.jpg", "Hat", "val", "", "val/Hat/a.jpg"),
        ("train/Hat/a.jpg", "Hat", "train", "train/", "train/Hat/a.jpg"), ("a.jpg", "Hat", None, "", "Hat/a.jpg"),
        ("train/Hat/a.jpg", "Hat", "train", "", "train/Hat/train_Hat_a.jpg"),
        ("scans/p7/a.jpg", "Hat", None, "", "Hat/scans_p7_a.jpg"), ("Hat/b/a.jpg", "Hat", None, "", "Hat/b_a.jpg"),
        ("a.jpg", "Hat", "train", "train/", "train/Hat/a.jpg"),
        ("train/train/a.jpg", "train", "train", "train/", "train/train/a.jpg"),
        ("train/a.jpg", "train", "train", "", "train/train/a.jpg"),
        ("train/a.jpg", "train", "val", "", "val/train/a.jpg"),
    ],
)  # fmt: skip
def test_an_original_lies_in_the_folder_of_split_and_class(
    source: str, class_name: str, split: str | None, prefix: str, expected: str
) -> None:
    place = Place.of(source, class_name, split, prefix)
    assert original_path(place, None) == expected
    generated = generated_path(place, "augmented", 0, 1)
    assert generated.startswith(expected.removesuffix(".jpg") + "_aug1-")
    assert generated[-16:] == generated_path(place_of(source), "augmented", 0, 1)[-16:]  # by the source alone


odd_names = st.lists(st.text(st.sampled_from("aAbcCOonN1. é\x01<:\udcff"), min_size=1, max_size=5), max_size=6)


@given(odd_names)
def test_what_is_said_of_all_names_at_once_holds_for_each(given_names: list[str]) -> None:
    if all_portable(given_names):
        assert all(map(is_portable, given_names))
    if all_differ(given_names):
        assert not [pair for pair in look_alikes(given_names) if pair[0] != pair[1]]


def test_plain_names_are_told_at_once() -> None:
    assert all_portable(["IMG_0001.jpg", "cat-2 (3).png"])
    assert all_differ(["a.jpg", "b.jpg"])
    assert not all_differ(["a.jpg", "A.jpg"])
    assert not all_portable(["con.jpg"])
    assert not all_portable(["what?.jpg"])
    assert not all_portable(["a.", "b"])
