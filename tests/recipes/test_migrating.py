"""docs/migrating.md: every command, and every option of the three programs that people come from."""

import re
from pathlib import Path

import pytest

from tests.conftest import MakeTree, Run, contents, counts_of, manifest_rows
from tests.recipes.conftest import Succeed, tool
from tests.recipes.pages import arguments_of, blocks, file_of, names_in, page, settings, table, write_files

GENERATOR = (
    "featurewise_center samplewise_center featurewise_std_normalization samplewise_std_normalization zca_whitening "
    "zca_epsilon rotation_range width_shift_range height_shift_range brightness_range shear_range zoom_range "
    "channel_shift_range fill_mode cval horizontal_flip vertical_flip rescale preprocessing_function data_format "
    "validation_split interpolation_order dtype"
)
"""The signature of ImageDataGenerator in Keras 3."""

FLOW = (
    "directory target_size color_mode classes class_mode batch_size shuffle seed save_to_dir save_prefix save_format "
    "follow_links subset interpolation keep_aspect_ratio"
)
"""That of its flow_from_directory."""

OPERATIONS = (
    "rotate rotate_without_crop rotate90 rotate180 rotate270 rotate_random_90 flip_left_right flip_top_bottom "
    "flip_random zoom zoom_random crop_centre crop_random crop_by_size resize scale shear skew skew_left_right "
    "skew_top_bottom skew_tilt skew_corner random_distortion gaussian_distortion random_brightness random_contrast "
    "random_color random_erasing histogram_equalisation greyscale black_and_white invert"
)
"""The operations of a pipeline of Augmentor 0.2.12."""

PIPELINE = (
    "Pipeline DataFramePipeline DataPipeline sample process multi_threaded set_seed set_save_format status "
    "add_operation remove_operation add_further_directory ground_truth image_generator keras_generator "
    "keras_generator_from_array keras_preprocess_func torch_transform sample_with_array"
)
"""What else there is of it."""

SPLITTING = (
    "input --output --seed --ratio --fixed --oversample --kfold --group_prefix --group --move --symlink --formats "
    "--no-shuffle"
)
"""The command line of split-folders 0.6.1."""


@pytest.fixture
def folder(make_tree: MakeTree, tmp_path: Path) -> Path:
    """A folder with data/train, of 20, 10 and 12 pictures."""
    make_tree({"cat": 20, "dog": 10, "owl": 12}, name="work/data/train", suffix=".jpg")
    return tmp_path / "work"


def typed(heading: str) -> str:
    return "\n".join(
        block.text for block in blocks("migrating") if (block.heading, block.language) == (heading, "bash")
    )


def rows_of(heading: str) -> dict[str, list[str]]:
    """Return what stands beside each name of the tables under a heading."""
    rows = {row[0].strip("`"): row[1:] for row in table("migrating", heading)}
    return {name: cells for name, cells in rows.items() if cells[0] != "here"}


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Its arguments", GENERATOR),
        ("Arguments of `flow_from_directory`", FLOW),
        ("Augmentor", f"{PIPELINE} {OPERATIONS}"),
        ("split-folders", SPLITTING),
    ],
)
def test_every_option_has_its_row_and_no_other(heading: str, names: str) -> None:
    assert sorted(rows_of(heading)) == sorted(names.split())
    assert all(cells[0] for cells in rows_of(heading).values())


_SIGNATURES = """
import inspect
from keras.src.legacy.preprocessing.image import ImageDataGenerator as Generator
print(*inspect.signature(Generator).parameters)
print(*list(inspect.signature(Generator.flow_from_directory).parameters)[1:])
"""


def test_these_are_the_arguments_of_keras(succeed: Succeed) -> None:
    said = succeed(f"{tool('keras', 'python')} -c '{_SIGNATURES}'", PYTHONPATH="", TF_CPP_MIN_LOG_LEVEL="3")
    assert {GENERATOR, FLOW} <= set(said.splitlines())


_VALUES = {
    "fill_mode": '"wrap"', "cval": "7.0", "data_format": '"channels_first"', "dtype": '"float16"', "rescale": "0.5",
    "brightness_range": "[0.5, 1.5]", "preprocessing_function": '"mine"', "rotation_range": "20",
    "zca_epsilon": "0.1", "interpolation_order": "0", "shear_range": "10", "channel_shift_range": "20.0",
}  # fmt: skip


@pytest.mark.parametrize("name", GENERATOR.split())
def test_an_argument_is_taken_said_or_refused_as_its_row_has_it(folder: Path, run: Run, name: str) -> None:
    value = _VALUES.get(name, "0.2" if name.endswith(("_range", "split")) else "true")
    (folder / "mine.toml").write_text(f"[augment]\n{name} = {value}\n")
    ran = run("augment", folder / "data" / "train", "-o", folder / "out", "--config", folder / "mine.toml", "-n")
    printed = run("augment", "--config", folder / "mine.toml", "--print-config").out
    effects = re.findall(rf"^{name} = ", printed, re.MULTILINE)
    here = rows_of("Its arguments")[name][0]
    if here == "refused":
        assert (ran.code, f"'{name}' is no setting" in ran.err) == (2, True)
    elif here == "no effect, said":
        assert (ran.code, f"{name} changes nothing here" in ran.err, effects) == (0, True, [])
    else:
        assert f"`{name}`" in here
        assert (ran.code, len(effects)) == (0, 1)
        assert f"--{name.replace('_', '-')}" in run("augment", "--help").out


def test_the_file_says_what_the_script_said() -> None:
    script, file = file_of("migrating", "before.py"), settings(file_of("migrating", "like-keras.toml"))
    generator = dict(arguments_of(script, "ImageDataGenerator"))
    assert len(generator) == 10
    assert {name: file.get(name) for name in generator} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in generator.items()
    }
    flow = dict(arguments_of(script, "flow_from_directory"))
    width, height = reversed(flow.pop("target_size"))
    assert (file["size"], file["seed"], file["output_format"]) == (
        f"{width}x{height}", flow.pop("seed"), flow.pop("save_format"),
    )  # fmt: skip
    assert flow == {"save_to_dir": "data/generated"}


def test_it_makes_what_a_generator_would_have(folder: Path, succeed: Succeed) -> None:
    write_files("migrating", folder, "like-keras.toml")
    said = succeed(typed("Keras: `ImageDataGenerator`"))
    assert "rescale changes nothing here" in said
    assert counts_of(folder / "data" / "generated") == {"cat": 20, "dog": 20, "owl": 20}
    rows = manifest_rows(folder / "data" / "generated")
    assert {(row["kind"], row["width"], row["height"], row["format"]) for row in rows} == {
        ("augmented", 150, 150, "JPEG")
    }


def test_the_command_for_the_pipeline_runs(folder: Path, succeed: Succeed) -> None:
    succeed(typed("Augmentor"))
    assert counts_of(folder / "data" / "augmentor") == {"cat": 20, "dog": 20, "owl": 20}


OPTIONS = sorted(
    option
    for name, cells in rows_of("Augmentor").items()
    for option in names_in(" ".join(cells))
    if option.startswith("-") and " " in option and name in [*OPERATIONS.split(), "process"]
)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_options_beside_an_operation_are_options(folder: Path, run: Run, options: str) -> None:
    ran = run("augment", folder / "data" / "train", "-o", folder / "out", "--config", "copy", "-n", *options.split())
    assert ran.code == 0, ran.err
    assert "3 classes, 42 files ->" in ran.out
    assert ("-> 42" in ran.out) == (options == "--originals transform -s 2")


def test_holding_out_twice_makes_three_parts(folder: Path, succeed: Succeed) -> None:
    succeed(typed("split-folders"))
    data = folder / "data"
    assert counts_of(data / "split" / "train") == {"cat": 16, "dog": 16, "owl": 16}
    assert counts_of(data / "split" / "val") == {"cat": 4, "dog": 2, "owl": 2}
    assert contents(data / "plain" / "train") | contents(data / "plain" / "val") == contents(data / "train")
    parts = [data / "first" / "val", data / "second" / "val", data / "second" / "train"]
    assert [counts_of(part) for part in parts] == [
        {"cat": 2, "dog": 1, "owl": 1}, {"cat": 2, "dog": 1, "owl": 1}, {"cat": 16, "dog": 16, "owl": 16},
    ]  # fmt: skip
    originals = [{name for name in contents(part) if "_aug" not in name} for part in parts]
    assert sum(map(len, originals)) == len(set().union(*originals)) == 42


def test_the_options_for_split_folders_are_options(run: Run) -> None:
    helped = run("augment", "--help").out + run("undersample", "--help").out
    shown = {option for cells in rows_of("split-folders").values() for option in names_in(cells[0])}
    assert {name.split()[0] for name in shown if name.startswith("--")} <= set(re.findall(r"--[a-z-]+", helped))


def test_no_block_of_the_page_is_left_aside() -> None:
    run_or_compared = {"before.py", "like-keras.toml", "pipeline.py"}
    assert {block.name for block in blocks("migrating") if block.language != "bash"} == run_or_compared
    assert {block.heading for block in blocks("migrating") if block.language == "bash"} == {
        "Keras: `ImageDataGenerator`", "Augmentor", "split-folders",
    }  # fmt: skip
    assert page("migrating").count("```") == 2 * len(blocks("migrating"))


def test_the_pipeline_has_its_ranges_in_the_command() -> None:
    script, command = file_of("migrating", "pipeline.py"), typed("Augmentor")
    assert dict(arguments_of(script, "rotate"))["max_left_rotation"] == 10
    assert "--rotation-range 10 " in command
    least, most = (dict(arguments_of(script, "random_brightness"))[name] for name in ("min_factor", "max_factor"))
    assert f"--brightness-range {least},{most}" in command
    assert f"--zoom-range {1 / dict(arguments_of(script, 'zoom'))['max_factor']:.3f},1" in command
    assert f"--random-erasing 0 {dict(arguments_of(script, 'random_erasing'))['rectangle_area'] ** 2:.2f}" in command
