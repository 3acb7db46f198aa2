"""How files are made: originals encoded or transformed, sizes, formats, engines, settings of classes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import (
    MakeTree,
    Ran,
    Run,
    contents,
    counts_of,
    everything,
    manifest_head,
    manifest_rows,
    write_image,
)

Balance = Callable[..., Ran]


@pytest.fixture
def balance(run: Run, source: Path, output: Path) -> Balance:
    """Balance the source into the output, which has to come out verified."""

    def balance_it(*arguments: object) -> Ran:
        ran = run("augment", source, "-o", output, *arguments)
        assert ran.code == 0, ran.err
        assert run("verify", output, "--source", source).code == 0
        assert run("verify", output, "--source", source, "--quick").code == 0
        return ran

    return balance_it


def pictures(root: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the suffix and the opened image of every file."""
    for path in root.rglob("*.*"):
        if path.suffix != ".jsonl":
            with Image.open(path) as image:
                yield path.suffix, image


def test_a_size_is_that_of_every_file(balance: Balance, output: Path) -> None:
    balance("--size", "16x12")
    assert {image.size for _, image in pictures(output)} == {(16, 12)}
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    rows = manifest_rows(output)
    assert {(row["width"], row["height"]) for row in rows} == {(16, 12)}
    assert all(row["reencoded"] for row in rows if row["kind"] == "original")
    assert manifest_head(output)["request"]["rendering"]["originals"] == "reencode"


@pytest.mark.parametrize(("name", "suffix", "pillow"), [("jpeg", ".jpg", "JPEG"), ("webp", ".webp", "WEBP")])
def test_a_format_is_that_of_every_file(balance: Balance, output: Path, name: str, suffix: str, pillow: str) -> None:
    balance("--output-format", name)
    assert {(told, image.format) for told, image in pictures(output)} == {(suffix, pillow)}
    assert {row["path"].rpartition(".")[2] for row in manifest_rows(output)} == {suffix[1:]}


def test_a_quality_is_that_of_every_file(run: Run, make_tree: MakeTree, output: Path) -> None:
    source = make_tree({"a": 3, "b": 1}, suffix=".jpg")
    assert run("augment", source, "-o", output, "--quality", "30").code == 0
    write_image(output.parent / "thirty" / "a.jpg", 1, quality=30)
    expected = [image.quantization for _, image in pictures(output.parent / "thirty")]  # type: ignore[attr-defined]
    assert all([image.quantization] == expected for _, image in pictures(output))  # type: ignore[attr-defined]


def test_encoded_originals_hold_the_same_pixels(run: Run, source: Path, output: Path) -> None:
    assert run("augment", source, "-o", output, "--originals", "reencode", "--bad-images", "skip").code == 0
    for path in source.rglob("*.png"):
        made = output / path.relative_to(source)
        assert Image.open(made).tobytes() == Image.open(path).tobytes()


@pytest.mark.parametrize(
    "option", [["--size", "8x8"], ["--output-format", "png"], ["--quality", "80"], ["--orientation", "upright"]]
)
def test_what_is_for_every_file_is_refused_beside_originals_to_keep(
    run: Run, source: Path, output: Path, option: list[str]
) -> None:
    ran = run("augment", source, "-o", output, "--originals", "keep", *option)
    assert ran.code == 2
    assert option[0] in ran.err
    assert "--originals keep" in ran.err
    assert not output.exists()


def test_transformed_originals_are_draws_like_all_others(balance: Balance, output: Path) -> None:
    ran = balance("--originals", "transform")
    rows = manifest_rows(output)
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert {row["kind"] for row in rows} == {"augmented"}
    assert ran.out.splitlines()[1].split() == ["cat", "4", "0", "7", "100%", "2"]
    uses = {row["source"]: sum(other["source"] == row["source"] for other in rows) for row in rows}
    assert set(uses.values()) == {1, 2, 3, 4}
    assert [uses[f"dog/{number:03d}.png"] for number in range(2)] in ([3, 4], [4, 3])


@pytest.mark.parametrize(("share", "expected"), [("0.25", 5), ("0.5", 10), ("1", 20), ("0", 0)])
def test_the_identity_share_is_exact_in_every_class(
    run: Run, source: Path, output: Path, share: str, expected: int
) -> None:
    assert (
        run("augment", source, "-o", output, "-s", "20", "--originals", "transform", "--identity-share", share).code
        == 0
    )
    rows = manifest_rows(output)
    for name in ("cat", "dog", "owl"):
        assert sum(row["class"] == name and row["kind"] == "duplicate" for row in rows) == expected
    assert all(row["reencoded"] for row in rows if row["kind"] == "duplicate")


def test_a_larger_target_keeps_every_file_of_a_transformed_tree(run: Run, source: Path, tmp_path: Path) -> None:
    settings = ["--originals", "transform", "--identity-share", "0.3"]
    run("augment", source, "-o", tmp_path / "small", "-s", "20", *settings)
    run("augment", source, "-o", tmp_path / "large", "-s", "33", *settings)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    del small["rebalance.jsonl"]
    assert len(small) == 60
    assert small.items() <= large.items()


@pytest.mark.parametrize("originals", ["reencode", "transform"])
def test_the_number_of_workers_changes_no_byte(run: Run, source: Path, tmp_path: Path, originals: str) -> None:
    settings = ["--originals", originals, "--gaussian-noise", "9", "--size", "30x20"]
    for workers in ("1", "3"):
        assert run("augment", source, "-o", tmp_path / workers, "-j", workers, *settings).code == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


@pytest.mark.parametrize("originals", ["reencode", "transform"])
def test_an_encoded_tree_is_up_to_date_until_its_source_changes(
    run: Run, source: Path, output: Path, originals: str
) -> None:
    command = ("augment", source, "-o", output, "--originals", originals)
    assert run(*command).code == 0
    before = everything(output)
    assert "up to date" in run(*command).err
    assert everything(output) == before
    write_image(source / "owl" / "003.png", 999)
    ran = run(*command)
    assert ran.code == 5
    assert "'owl/003.png'" in ran.err


def test_an_encoded_tree_is_made_again_from_the_old_one(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output, "--originals", "reencode")
    ran = run("augment", source, "-o", output, "--originals", "reencode", "-s", "9", "--overwrite")
    assert ran.code == 0
    assert "reused 21 of 27" in ran.err


def test_an_original_that_is_called_otherwise_is_made_anew(run: Run, source: Path, output: Path) -> None:
    """A PNG under the name of an MPO would become a JPEG; under the name of a JPEG it stays what it is."""
    (source / "dog" / "000.png").rename(source / "dog" / "000.mpo")
    (source / "dog" / "001.png").write_bytes(b"broken")
    command = ("augment", source, "-o", output, "--originals", "reencode")
    assert run(*command).code == 4
    (source / "dog" / "000.mpo").rename(source / "dog" / "000.jpg")
    write_image(source / "dog" / "001.png", 7)
    assert run(*command).code == 0
    assert run("verify", output, "--source", source).code == 0
    assert {row["format"] for row in manifest_rows(output)} == {"PNG"}


def test_a_lower_limit_of_pixels_makes_no_use_of_what_is_staged(run: Run, source: Path, output: Path) -> None:
    (source / "owl" / "006.png").write_bytes(b"broken")
    command = ("augment", source, "-o", output, "--originals", "transform")
    assert run(*command).code == 4
    write_image(source / "owl" / "006.png", 7)
    ran = run(*command, "--max-pixels", "100")
    assert ran.code == 4
    assert "24x20 is more than 100 pixels" in ran.err


@pytest.mark.parametrize("originals", ["keep", "reencode", "transform"])
def test_quick_verification_looks_at_the_sources_of_all_files(
    run: Run, source: Path, output: Path, originals: str
) -> None:
    run("augment", source, "-o", output, "--originals", originals)
    with open(source / "owl" / "003.png", "ab") as file:
        file.write(b"more")
    (source / "dog" / "001.png").unlink()
    ran = run("verify", output, "--source", source, "--quick")
    assert ran.code == 1
    assert sorted(line.split(":")[1].strip() for line in ran.out.splitlines()) == ["dog/001.png", "owl/003.png"]


def test_a_quality_leaves_alone_what_it_is_not_about(run: Run, make_tree: MakeTree, output: Path) -> None:
    source = make_tree({"a": 2, "b": 1}, suffix=".tif")
    for path in source.rglob("*.tif"):
        with Image.open(path) as image:
            image.load()
        image.save(path, compression="tiff_lzw")
    assert run("augment", source, "-o", output, "--quality", "50").code == 0
    assert {image.info["compression"] for _, image in pictures(output)} == {"tiff_lzw"}


@pytest.mark.threat(25)
def test_two_originals_that_would_get_one_name_are_refused(run: Run, source: Path, output: Path) -> None:
    write_image(source / "cat" / "001.bmp", 5)
    ran = run("augment", source, "-o", output, "--output-format", "jpeg")
    assert ran.code == 3
    assert "'cat/001.bmp' and 'cat/001.png' would both become 'cat/001.jpg'" in ran.err


def test_what_a_format_does_not_hold_is_named(run: Run, source: Path, output: Path) -> None:
    Image.new("RGBA", (24, 20), (200, 10, 10, 90)).save(source / "cat" / "000.png")
    ran = run("augment", source, "-o", output, "--output-format", "jpeg")
    assert ran.code == 4
    assert "'cat/000.png': has transparency, which JPEG does not hold" in ran.err
    assert run("augment", source, "-o", output, "--output-format", "jpeg", "--bad-images", "carry").code == 0
    assert (output / "cat" / "000.png").read_bytes() == (source / "cat" / "000.png").read_bytes()
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert run("verify", output, "--source", source).code == 0


def test_files_whose_mode_changes_are_counted(run: Run, source: Path, output: Path) -> None:
    for path in (source / "dog").iterdir():
        Image.open(path).convert("P").save(path)
    ran = run("augment", source, "-o", output)
    assert "note: 5 files: mode P became RGB: 'dog/000_aug1-" in ran.err


def test_the_identity_share_goes_with_transformed_originals(run: Run, source: Path, output: Path) -> None:
    ran = run("augment", source, "-o", output, "--identity-share", "0.2")
    assert ran.code == 2
    assert "--originals transform" in ran.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "224"), ("--size", "0x10"), ("--size", "70000x1"), ("--size", "1x-1"), ("--quality", "0"),
        ("--quality", "101"), ("--quality", "best"), ("--identity-share", "1.1"), ("--identity-share", "nan"),
        ("--identity-share", "1/3"), ("--output-format", "gif"), ("--max-pixels", "0"), ("--brightness-range", "-1"),
        ("--poisson-noise", "0.001"), ("--gaussian-noise", "3,2"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(run: Run, source: Path, output: Path, option: str, value: str) -> None:
    ran = run("augment", source, "-o", output, option, value)
    assert ran.code == 2
    assert option in ran.err
    assert "Traceback" not in ran.err


def test_a_picture_of_too_many_pixels_is_named(run: Run, source: Path, output: Path) -> None:
    write_image(source / "dog" / "big.png", 1, size=(50, 40))
    ran = run("augment", source, "-o", output, "--max-pixels", "1999")
    assert ran.code == 4
    assert "'dog/big.png': 50x40 is more than 1999 pixels (--max-pixels)" in ran.err
    checked = run("inspect", source, "--check", "--max-pixels", "1999", "--format", "json")
    assert [image["path"] for image in checked.document["bad_images"]] == ["dog/big.png"]


def test_the_engine_stands_in_the_manifest_and_decides_the_bytes(run: Run, source: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    for engine in ("pillow", "opencv"):
        assert run("augment", source, "-o", tmp_path / engine, "--engine", engine).code == 0
        assert manifest_head(tmp_path / engine)["engine"] == engine
    assert ("opencv" in manifest_head(tmp_path / "opencv")["versions"]) is True
    assert ("opencv" in manifest_head(tmp_path / "pillow")["versions"]) is False
    assert contents(tmp_path / "pillow") != contents(tmp_path / "opencv")


def test_without_opencv_pillow_does_the_work(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert run("augment", source, "-o", output, "-j", "1").code == 0
    assert manifest_head(output)["engine"] == "pillow"
    ran = run("augment", source, "-o", output, "--engine", "opencv")
    assert ran.code == 2
    assert "pip install 'rebalance-images[fast]'" in ran.err
