"""Configuration files: what they may say, what is refused, and that printed settings give themselves back."""

import re
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest

from rebalance.cli.augment import augment
from rebalance.cli.config import BUNDLED, Configuration, apply_config, read_bundled, render_settings
from rebalance.errors import UsageError
from tests.conftest import Run

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "configurations.md").read_text(encoding="utf-8")
CLASS_NAMES = ("cat", 'a.b "c"', "Größe 7", "tab\tand\x7fdelete", "")

Settings = Mapping[str, Any]
Load = Callable[..., tuple[Settings, Configuration]]


def loaded(config: object, *arguments: str, command: click.Command = augment) -> tuple[Settings, Configuration]:
    """Return the settings in effect and the configuration."""
    context = command.make_context(str(command.name), ["--config", str(config), *arguments])
    configuration = context.params["configuration"]
    assert isinstance(configuration, Configuration)
    return {key: value for key, value in context.params.items() if key != "configuration"}, configuration


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a file of this text for `augment`, as its command line does."""

    def load_it(text: str, *arguments: str) -> tuple[Settings, Configuration]:
        (tmp_path / "c.toml").write_text(text, encoding="utf-8")
        return loaded(tmp_path / "c.toml", *arguments)

    return load_it


# The bundled files


def test_these_configurations_are_bundled() -> None:
    assert BUNDLED == (
        "aerial", "copy", "digits", "document", "keras", "keras-2016", "medical", "mild", "occlusion", "photo",
    )  # fmt: skip


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_file_is_read_without_remarks_and_says_what_it_is_for(name: str) -> None:
    settings, configuration = loaded(name)
    assert settings["fill_mode"] in ("reflect", "nearest", "median", "constant")
    assert configuration == Configuration(class_settings={}, remarks=())
    lines = read_bundled(name).splitlines()
    head = lines[: lines.index("")]
    assert len(head) >= 3
    assert all(line.startswith("# ") and len(line) <= 120 for line in head)
    assert head[0].startswith(f"# {name}: ")
    assert any("Right" in line for line in head)
    assert any("Wrong" in line for line in head)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_file_stands_in_the_page(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("name", ["copy", "digits", "document", "medical", "mild"])
def test_these_configurations_mirror_nothing(name: str) -> None:
    settings, _ = loaded(name)
    assert not settings["horizontal_flip"]
    assert not settings["vertical_flip"]


def test_a_bundled_configuration_without_transforms_has_nothing_of_mild() -> None:
    settings, _ = loaded("copy")
    assert (settings["rotation_range"], settings["brightness_range"]) == (0, None)


def test_no_digit_and_no_letter_is_filled_with_its_mirror_image() -> None:
    assert [loaded(name)[0]["fill_mode"] for name in ("digits", "document")] == ["median", "median"]


def test_the_bundled_files_are_package_data() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["rebalance"]
    for name in BUNDLED:
        assert any(fnmatch(f"configs/{name}.toml", pattern) for pattern in package)
        assert (ROOT / "rebalance" / "configs" / f"{name}.toml").is_file()


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_example_of_the_page_is_read(load: Load, text: str) -> None:
    settings, configuration = load(text)
    assert (settings["rotation_range"], settings["zoom_range"], settings["seed"]) == (25.0, (0.9, 1.2), 4)
    assert configuration.class_settings == {
        "digit-6": {"rotation_range": 8.0},
        "digit-9": {"rotation_range": 8.0, "shear_range": 0.0},
    }


# General settings


def test_without_a_configuration_it_is_mild() -> None:
    context = augment.make_context("augment", [])
    assert context.params["configuration"] == Configuration(class_settings={}, remarks=())
    assert context.params["rotation_range"] == 7.0
    assert context.params["brightness_range"] == (0.9, 1.1)


def test_a_file_that_names_a_transform_has_nothing_of_mild(load: Load) -> None:
    settings, _ = load("[augment]\nhorizontal_flip = true\n")
    assert settings["horizontal_flip"] is True
    assert settings["rotation_range"] is None


@pytest.mark.parametrize("text", ["", "[augment]\nseed = 4\n", "[augment.class.cat]\nrotation_range = 3\n"])
def test_a_file_that_names_no_general_transform_starts_from_mild(load: Load, text: str) -> None:
    assert load(text)[0]["rotation_range"] == 7.0


@pytest.mark.threat(77)
def test_the_command_line_comes_before_the_file_and_leaves_the_classes_alone(load: Load) -> None:
    text = "[augment]\nrotation_range = 10\nshear_range = 4\n[augment.class.cat]\nrotation_range = 3\n"
    settings, configuration = load(text, "--rotation-range", "40")
    assert (settings["rotation_range"], settings["shear_range"]) == (40.0, 4.0)
    assert configuration.class_settings == {"cat": {"rotation_range": 3.0}}


def test_whole_numbers_may_be_written_as_floats(load: Load) -> None:
    settings, configuration = load("[augment]\ncval = 0.0\nworkers = 2.0\n[augment.class.cat]\ncval = 255.0\n")
    assert (settings["cval"], settings["workers"]) == (0, 2)
    assert type(settings["cval"]) is int
    assert configuration.class_settings == {"cat": {"cval": 255}}
    assert type(configuration.class_settings["cat"]["cval"]) is int


# Settings of classes


def test_the_settings_of_a_class_are_parsed_as_the_general_ones(load: Load) -> None:
    _, configuration = load(
        "[augment.class.digit-6]\nrotation_range = 8\nzoom_range = 0.1\nhorizontal_flip = false\n"
        "random_erasing = [0.1, 0.2]\nfill_mode = 'constant'\ncval = 7\nerasing_fill = 'mean'\n"
        '[augment.class."St. Bernard"]\n'
    )
    assert configuration.class_settings == {
        "digit-6": {
            "rotation_range": 8.0, "zoom_range": (0.9, 1.1), "horizontal_flip": False, "random_erasing": (0.1, 0.2),
            "fill_mode": "constant", "cval": 7, "erasing_fill": "mean",
        },
        "St. Bernard": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[augment.class.cat]\nrotaton_range = 3",
         "class 'cat': 'rotaton_range' is not a setting of a class; did you mean 'rotation_range'?"),
        ("[augment.class.cat]\nseed = 3", "class 'cat': 'seed' is not a setting of a class"),
        ("[augment.class.cat]\ninterpolation = 'bicubic'", "class 'cat': 'interpolation' is not a setting of a class"),
        ("[augment.class.cat]\nrescale = 2", "class 'cat': 'rescale' is not a setting of a class"),
        ("[augment.class.cat]\nrotation_range = 400",
         "class 'cat': rotation_range = 400 is not degrees from 0 to 360"),
        ("[augment.class.cat]\ncval = 256", "class 'cat': cval = 256: 256 is not in the range 0<=x<=255."),
        ("[augment.class.cat]\ncval = true", "class 'cat': cval = True is not a whole number"),
        ("[augment.class.cat]\nfill_mode = 3", "class 'cat': fill_mode = 3 is not text in quotes"),
        ("[augment.class.cat]\nfill_mode = 'mirror'", "class 'cat': fill_mode = 'mirror': 'mirror' is not one of"),
        ("[augment.class.St.Bernard]\ncval = 3",
         "class 'St': 'Bernard' is a table; the name of a class that has a dot in it stands in quotes"),
        ("[augment.class]\nrotation_range = 3",
         "class 'rotation_range' = 3 is to be a table: [augment.class.NAME]"),
        ("[augment]\nclass = 3", "class = 3 is to be a table for each class: [augment.class.NAME]"),
        ("[[augment.class]]\ncval = 3", "class = [{'cval': 3}] is to be a table for each class"),
        ("[augment.classes.cat]\ncval = 3", "'classes' is no setting; did you mean 'class'?"),
        ("[class.cat]\ncval = 3", "[class] is no command with settings: say [augment.class.NAME]"),
        ("[augment.class.cat]\ncval = 3\n[augment.class.cat]", "not a TOML file: Cannot declare"),
    ],
)  # fmt: skip
def test_a_wrong_section_of_a_class_is_refused_with_file_class_and_key(load: Load, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(text)
    assert f"c.toml: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


# What is refused


@pytest.mark.threat(76)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[augment]\nrotation-range = 3", "'rotation-range' is no setting; did you mean 'rotation_range'?"),
        ("[augment]\nratio = 0.5", "'ratio' is no setting; did you mean 'sampling_strategy'?"),
        ("[augment]\nrescal = 3", "'rescal' is no setting; did you mean 'rescale'?"),
        ("[augment]\nconfiguration = 'mild'", "'configuration' is no setting"),
        ("[augment]\ncval = 0.5", "cval = 0.5 is not a whole number"),
        ("[augment]\nworkers = inf", "workers = inf is not a whole number"),
        ("[augment]\nquiet = 1", "quiet = 1 is not true or false"),
        ("[augment]\nexclude = [['a']]", "exclude = ['a'] is not text in quotes"),
        ("[augment]\nexclude = 3", "exclude = 3 is not text in quotes"),
        ("[augment]\nlink = 2020-01-01", "link = datetime.date(2020, 1, 1) is not text in quotes"),
        ("[augment]\nsampling_strategy = true", "sampling_strategy = True is not text in quotes, a number or a table"),
        ("[augment.sampling_strategy]\ncat = 1.5", "sampling_strategy = {'cat': 1.5} is not a table of whole numbers"),
        ("[augment]\nseed = 1\nseed = 2", "not a TOML file: Cannot overwrite a value"),
        ("[augment]\nseed = 1\n[augment]\n", "not a TOML file: Cannot declare"),
        ("[[augment]]\nseed = 1", "augment is to be a table: [augment]"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_the_file(load: Load, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(text)
    assert f"c.toml: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_name_is_no_configuration() -> None:
    with pytest.raises(UsageError, match="--config '' is neither a file"):
        loaded("")


# Names of Keras


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("rescale = 0.00392156862745098", "make keras.layers.Rescaling(FACTOR), such as Rescaling(1/255), the first"),
        ("rescale = '1./255'", "Rescaling(1/255)"),
        ("featurewise_center = true", "keras.layers.Normalization(), adapted to the original training images"),
        ("featurewise_std_normalization = true", "keras.layers.Normalization()"),
        ("samplewise_center = true", "subtract the mean of each image in the loader"),
        ("samplewise_std_normalization = true", "keras.layers.LayerNormalization(axis=(1, 2, 3)"),
        ("zca_whitening = true", "Keras 3 has no layer for it"),
        ("zca_epsilon = 1e-6", "it belongs to zca_whitening"),
        ("dtype = 'float16'", "cast in the loader"),
        ("data_format = 'channels_first'", "keras.config.set_image_data_format"),
    ],
)
def test_a_name_that_is_about_training_changes_nothing_and_says_what_does(
    load: Load, setting: str, advice: str
) -> None:
    settings, configuration = load(f"[augment]\nrotation_range = 40\n{setting}\n")
    assert settings == load("[augment]\nrotation_range = 40\n")[0]
    (remark,) = configuration.remarks
    assert f"c.toml: {setting.split(maxsplit=1)[0]} changes nothing here" in remark
    assert advice in remark
    assert "\n" not in remark


@pytest.mark.parametrize(
    "setting",
    [
        "rescale = 0", "rescale = 0.0", "rescale = 1.0", "rescale = false", "featurewise_center = false",
        "samplewise_std_normalization = false", "zca_whitening = false", "dtype = 'float32'",
        "data_format = 'channels_last'",
    ],
)  # fmt: skip
def test_a_name_that_is_off_in_keras_is_passed_over_in_silence(load: Load, setting: str) -> None:
    assert load(f"[augment]\n{setting}\n")[1].remarks == ()


def test_names_about_training_are_no_transforms_and_so_mild_stays(load: Load) -> None:
    assert load("[augment]\nrescale = 0.5\n")[0]["rotation_range"] == 7.0


@pytest.mark.parametrize(
    ("setting", "way_out"),
    [
        ("validation_split = 0.2", "split first, then balance the training part"),
        ("preprocessing_function = 'f'", "preprocess before balancing, or in the model"),
        ("interpolation_order = 1", 'say interpolation = "nearest" for 0, "bilinear" for 1'),
    ],
)
def test_a_name_whose_silence_would_mislead_is_refused_with_the_way_out(load: Load, setting: str, way_out: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(f"[augment]\n{setting}\n")
    assert f"c.toml: {setting.split(maxsplit=1)[0]!r} is no setting of rebalance: " in str(caught.value)
    assert way_out in str(caught.value)


def test_all_that_an_imagedatagenerator_takes_by_value_is_taken(load: Load) -> None:
    settings, configuration = load(
        "[augment]\nrotation_range = 40.0\nwidth_shift_range = 0.2\nheight_shift_range = 0.2\n"
        "brightness_range = [0.8, 1.2]\nshear_range = 0.2\nzoom_range = [0.8, 1.2]\nchannel_shift_range = 10.0\n"
        "fill_mode = 'nearest'\ncval = 0.0\nhorizontal_flip = true\nvertical_flip = false\nrescale = 0.5\n"
    )
    assert settings["brightness_range"] == (0.8, 1.2)
    assert len(configuration.remarks) == 1


# Options of other types


class _Size(click.ParamType[Any]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d+)x(\d+)", value)
        if match is None:
            self.fail(f"{value!r} is not\nWxH", param, ctx)
        return (int(match[1]), int(match[2]))


class _Quality(click.ParamType[Any]):
    name = "quality"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        if value == "source":
            return "source"
        number = int(value)
        if not 1 <= number <= 100:
            self.fail(f"{value!r} is not source or 1..100", param, ctx)
        return number


@click.command("augment")
@click.option("--config", "configuration", is_eager=True, callback=apply_config)
@click.option("--size", type=_Size())
@click.option("--quality", type=_Quality(), default="source")
@click.option("--identity-share", type=click.FloatRange(0, 1))
@click.option("--rotation-range", type=float)
@click.option("--width-shift-range", type=float)
@click.option("--height-shift-range", type=float)
@click.option("--zoom-range", type=click.UNPROCESSED)
@click.option("--brightness-range", type=click.UNPROCESSED)
@click.option("--fill-mode")
def resize(**given: Any) -> None:
    """Have options of these types."""


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("size = '224x160'", "size", (224, 160)),
        ("quality = 90", "quality", 90),
        ("quality = 90.0", "quality", 90),
        ("quality = 'source'", "quality", "source"),
        ("identity_share = 0.2", "identity_share", 0.2),
        ("identity_share = 1", "identity_share", 1.0),
    ],
)
def test_a_value_goes_through_the_type_of_its_option_and_comes_back_from_print(
    tmp_path: Path, setting: str, key: str, value: object
) -> None:
    (tmp_path / "c.toml").write_text(f"[augment]\n{setting}\n")
    settings, configuration = loaded(tmp_path / "c.toml", command=resize)
    assert settings[key] == value
    (tmp_path / "d.toml").write_text(render_settings("augment", settings, configuration.class_settings))
    assert loaded(tmp_path / "d.toml", command=resize)[0][key] == value


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("size = '224'", "size = '224': '224' is not WxH"),
        ("size = 224", "size = 224 is not text in quotes or a number"),
        ("size = [224, 224]", "size = [224, 224] is not text in quotes or a number"),
        ("quality = 101", "quality = 101: 101 is not source or 1..100"),
        ("quality = 'best'", "quality = 'best' is not text in quotes or a number"),
        ("quality = true", "quality = True is not text in quotes or a number"),
        ("identity_share = 1.5", "identity_share = 1.5: 1.5 is not in the range 0<=x<=1."),
        ("identity_share = '0.2'", "identity_share = '0.2' is not a number"),
        ("identity_share = nan", "identity_share = nan is not a number"),
    ],
)
def test_what_the_type_of_an_option_does_not_take_is_refused_in_one_line(
    tmp_path: Path, setting: str, message: str
) -> None:
    (tmp_path / "c.toml").write_text(f"[augment]\n{setting}\n")
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path / "c.toml", command=resize)
    assert str(caught.value).endswith(f"c.toml: {message}")


# Printing


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_configuration_prints_a_file_that_is_equal_to_it(load: Load, name: str) -> None:
    settings, _ = loaded(name)
    printed = render_settings("augment", settings, {})
    again, _ = load(printed)
    assert render_settings("augment", again, {}) == printed
    assert {key: again[key] for key, value in settings.items() if value is not None} == {
        key: value for key, value in settings.items() if value is not None
    }


def test_what_is_printed_has_the_sections_of_the_classes() -> None:
    printed = render_settings(
        "augment",
        {"rotation_range": None, "horizontal_flip": True, "size": (224, 160), "quality": 90, "engine": None, "seed": 4},
        {"digit-6": {"zoom_range": (0.9, 1.1), "fill_mode": "median"}, 'a.b "c"': {"horizontal_flip": False}, "é": {}},
    )
    assert printed.splitlines() == [
        "[augment]", "rotation_range = 0.0", "horizontal_flip = true", 'size = "224x160"', "quality = 90", "seed = 4",
        "",
        "[augment.class.digit-6]", "zoom_range = [0.9, 1.1]", 'fill_mode = "median"',
        "",
        r'[augment.class."a.b \"c\""]', "horizontal_flip = false",
        "",
        '[augment.class."é"]',
    ]  # fmt: skip


def test_printed_classes_are_a_file_that_gives_them_back(load: Load) -> None:
    class_settings = {
        name: {"rotation_range": float(number), "zoom_range": (0.5, 1.25), "fill_mode": "wrap", "horizontal_flip": True}
        for number, name in enumerate(CLASS_NAMES)
    }
    settings, _ = load("[augment]\nseed = 7\n", "--exclude", '*.gif\x7fé"\\')
    again, configuration = load(render_settings("augment", settings, class_settings))
    assert configuration.class_settings == class_settings
    assert list(configuration.class_settings) == list(CLASS_NAMES)
    assert (again["seed"], again["exclude"], again["rotation_range"]) == (7, ('*.gif\x7fé"\\',), 7.0)


def test_print_config_prints_the_sections_of_the_classes_behind_the_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[augment.class.'a.b']\nrotation_range = 3\n[augment]\nseed = 4\nrescale = 2\n")
    ran = run("augment", "--config", tmp_path / "c.toml", "--shear-range", "5", "--print-config")
    assert ran.code == 0
    assert "\nshear_range = 5.0\n" in ran.out
    assert "rescale" not in ran.out
    assert "rescale changes nothing here, it is about training" in ran.err
    assert ran.out.endswith('\n\n[augment.class."a.b"]\nrotation_range = 3.0\n')


def test_a_class_whose_name_is_not_utf_8_cannot_be_printed() -> None:
    with pytest.raises(UsageError, match="is not UTF-8, and a TOML file holds nothing else"):
        render_settings("augment", {}, {"caf\udce9": {"rotation_range": 3.0}})
