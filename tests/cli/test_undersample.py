from pathlib import Path

import pytest

from tests.conftest import Run, contents, counts_of, everything, manifest_rows, write_image


def test_every_class_is_brought_down_to_the_smallest(run: Run, untouched: Path, output: Path) -> None:
    ran = run("undersample", untouched, "-o", output)
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"cat": 2, "dog": 2, "owl": 2}
    assert ran.out.splitlines()[:2] == ["class  before  after  left out", "cat         4      2         2"]
    assert run("verify", output, "--source", untouched).code == 0
    source, made = contents(untouched), contents(output)
    del made["rebalance.jsonl"]
    assert made.items() <= source.items()


def test_what_is_left_out_stands_in_the_manifest_with_the_reason(run: Run, source: Path, output: Path) -> None:
    run("undersample", source, "-o", output, "-s", "owl=3")
    removed = [row for row in manifest_rows(output) if row["kind"] == "removed"]
    assert {row["class"] for row in removed} == {"owl"}
    assert {row["reason"] for row in removed} == {"left out by undersample (random)"}
    assert len(removed) == 4


def test_it_keeps_what_a_cap_keeps(run: Run, source: Path, tmp_path: Path) -> None:
    run("undersample", source, "-o", tmp_path / "under", "-s", "3")
    run("augment", source, "-o", tmp_path / "capped", "--cap", "3", "-s", "dog=2")
    under, capped = contents(tmp_path / "under"), contents(tmp_path / "capped")
    del under["rebalance.jsonl"], capped["rebalance.jsonl"]
    assert under == capped
    settings = ["--window", "1", "--order", "name"]
    run("undersample", source, "-o", tmp_path / "under1", "-s", "3", "--method", "window", *settings)
    run("augment", source, "-o", tmp_path / "capped1", "--cap", "3", "-s", "dog=2", "--cap-method", "window", *settings)
    assert contents(tmp_path / "under1").keys() == contents(tmp_path / "capped1").keys()
    assert (tmp_path / "under1" / "owl" / "003.png").exists()


@pytest.mark.threat(1, 2)
def test_it_is_up_to_date_resumed_and_replaced_like_any_output(run: Run, source: Path, output: Path) -> None:
    assert run("undersample", source, "-o", output).code == 0
    before = everything(output)
    assert "up to date" in run("undersample", source, "-o", output).err
    assert everything(output) == before
    ran = run("undersample", source, "-o", output, "-s", "3")
    assert ran.code == 5
    assert "sampling_strategy" in ran.err
    assert run("undersample", source, "-o", output, "-s", "3", "--overwrite").code == 0
    assert counts_of(output) == {"cat": 3, "dog": 2, "owl": 3}
    assert run("augment", source, "-o", output).code == 5


def test_bad_images_end_the_run_or_are_made_up_for(run: Run, source: Path, output: Path) -> None:
    """Four of seven are broken, so that one of the four that are to stay is."""
    for name in ("000", "001", "002", "003"):
        (source / "owl" / f"{name}.png").write_bytes(b"broken")
    ran = run("undersample", source, "-o", output, "-s", "4")
    assert ran.code == 4
    assert "bad image: 'owl/00" in ran.err
    assert not output.exists()
    assert run("undersample", source, "-o", output, "-s", "4", "--bad-images", "skip").code == 0
    assert counts_of(output) == {"cat": 4, "dog": 2, "owl": 3}
    assert run("verify", output, "--source", source).code == 0


def test_added_images_leave_the_choice_among_the_others_alone(run: Run, source: Path, tmp_path: Path) -> None:
    run("undersample", source, "-o", tmp_path / "before", "-s", "4")
    for number in range(3):
        write_image(source / "owl" / f"new{number}.png", 700 + number)
    run("undersample", source, "-o", tmp_path / "after", "-s", "4")
    before = {path.name for path in (tmp_path / "before" / "owl").iterdir()}
    after = {path.name for path in (tmp_path / "after" / "owl").iterdir()}
    assert {name for name in after if not name.startswith("new")} <= before


@pytest.mark.threat(75)
@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        (["-s", "owl=0"], 3, "class 'owl' would have no image left"), (["-s", "dog=9"], 3, "undersample never adds"),
        (["-s", "minority"], 2, "is for augment"), (["--window", "1"], 2, "go with --method window"),
        (["--order", "name"], 2, "go with --method window"), (["--method", "nearest"], 2, "none of the methods"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    run: Run, source: Path, output: Path, settings: list[str], code: int, told: str
) -> None:
    ran = run("undersample", source, "-o", output, *settings)
    assert ran.code == code
    assert told in ran.err
    assert not output.exists()


def test_nothing_is_written_into_what_was_made_before(run: Run, source: Path, output: Path) -> None:
    run("undersample", source, "-o", output)
    before = everything(output)
    ran = run("undersample", source, "-o", output / "inner")
    assert ran.code == 5
    assert f"lies in {output}, which rebalance made" in ran.err
    assert run("undersample", source, "-o", output / "cat" / "inner").code == 5
    assert everything(output) == before
