"""Settings of classes, settings that have no effect, and what is said of them."""

from pathlib import Path

import pytest

from tests.conftest import Run, manifest_rows


def test_class_settings_in_other_words_are_the_same_request(
    run: Run, source: Path, output: Path, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[augment]\nrotation_range = 9\n")
    assert run("augment", source, "-o", output, "--config", config).code == 0
    config.write_text("[augment]\nrotation_range = 9\n[augment.class.dog]\n[augment.class.owl]\nrotation_range = 9.0\n")
    assert "up to date" in run("augment", source, "-o", output, "--config", config).err


def test_what_is_drawn_for_classes_is_remarked_like_the_rest(run: Run, source: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        '[augment]\nrotation_range = 0\ncval = 9\n[augment.class.dog]\nshear_range = 0.2\nfill_mode = "constant"\n'
    )
    remarks = run("augment", source, "-n", "--config", config).err
    assert "nothing drawn; 1 class with other settings" in remarks
    assert "shear_range is in degrees" in remarks
    assert "no effect" not in remarks


@pytest.mark.parametrize(
    "option",
    [
        ("--fill-mode", "median"), ("--erasing-fill", "mean"), ("--cval", "9"), ("--interpolation", "nearest"),
        ("--quality", "80"),
    ],
)  # fmt: skip
def test_a_setting_that_nothing_uses_is_remarked(run: Run, source: Path, option: tuple[str, str]) -> None:
    remarks = run("augment", source, "-n", "--config", "copy", *option).err
    assert f"{option[0]} {option[1]} has no effect" in remarks


def test_a_class_has_settings_of_its_own(run: Run, source: Path, output: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        '[augment]\nrotation_range = 30\n[augment.class.dog]\nrotation_range = 0\nbrightness_range = "0.5,0.6"\n'
    )
    assert run("augment", source, "-o", output, "--config", config).code == 0
    values = {row["class"]: set(row["values"]) for row in manifest_rows(output) if row["kind"] == "augmented"}
    assert values == {"cat": {"rotation"}, "dog": {"brightness"}}
    assert run("verify", output).code == 0
    made = next(row["path"] for row in manifest_rows(output) if row["class"] == "dog" and row["kind"] == "augmented")
    assert run("replay", output, made, "--source", source, "-o", tmp_path / "again.png").code == 0


@pytest.mark.threat(16)
def test_settings_of_a_class_that_is_not_there_are_refused(
    run: Run, source: Path, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text("[augment.class.dgo]\nrotation_range = 0\n")
    ran = run("augment", source, "-o", output, "--config", tmp_path / "c.toml")
    assert ran.code == 2
    assert "'dgo', which is no class of SOURCE; did you mean 'dog'?" in ran.err


def test_names_that_are_about_training_are_answered(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[augment]\nrescale = 0.0039\nrotation_range = 5\n")
    ran = run("augment", source, "-n", "--config", tmp_path / "c.toml")
    assert ran.code == 0
    assert "keras.layers.Rescaling" in ran.err


def test_printed_settings_of_the_rendering_are_a_file_that_gives_them_back(
    run: Run, source: Path, tmp_path: Path
) -> None:
    asked = ["--originals", "transform", "--identity-share", "0.15", "--size", "30x20", "--quality", "80"]
    (tmp_path / "c.toml").write_text(run("augment", *asked, "--print-config").out)
    wanted = run("augment", source, "-n", "--format", "json", *asked).document["request"]
    assert wanted["identity_share"] == "3/20"
    assert (
        run("augment", source, "-n", "--format", "json", "--config", tmp_path / "c.toml").document["request"] == wanted
    )


def test_links_that_come_to_nothing_are_remarked(run: Run, source: Path) -> None:
    ran = run("augment", source, "-n", "--link", "hardlink", "--size", "9x9")
    assert "--link hardlink has no effect on originals that are encoded" in ran.err


def test_settings_that_are_used_are_not_remarked(run: Run, source: Path) -> None:
    settings = [
        "--fill-mode",
        "constant",
        "--cval",
        "9",
        "--interpolation",
        "nearest",
        "--random-erasing",
        "0.1",
        "0.2",
    ]
    settings += [
        "--random-erasing",
        "0.1",
        "0.2",
        "--erasing-fill",
        "mean",
        "--quality",
        "80",
        "--output-format",
        "webp",
    ]
    assert "no effect" not in run("augment", source, "-n", *settings).err


def test_where_there_is_nothing_to_note_nothing_is_noted(run: Run, source: Path, output: Path) -> None:
    remarks = run("augment", source, "-o", output, "-s", "8").err.splitlines()
    assert [line.split(": note: ")[-1][:22] for line in remarks] == [
        "rebalance: seed 0, eng", "12% to 75% of a class ", f"rebalance: {output}"[:22],
        "rebalance: 11 generate", "rebalance: took "[:16] + remarks[-2][16:22], f"rebalance: {output}"[:22],
    ]  # fmt: skip
