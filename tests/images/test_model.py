import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rebalance.errors import UsageError
from rebalance.images.model import Model, open_model
from rebalance.images.model_settings import ModelSettings, parse_settings
from rebalance.images.pixels import Pixels
from rebalance.images.weights import weight_files

Weights = Mapping[str, Any]
Shape = Sequence[str | int | None]

DEFAULT = ModelSettings()
PLAIN = ModelSettings(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Levels of 0 to 1 as they are."""
RED_GREEN_BLUE = np.repeat(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8), 4, axis=1).repeat(4, axis=0)
"""Twelve pixels wide, four high."""


def node(kind: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    """Return an operation; the last name is that of what it makes."""
    return helper.make_node(kind, names[:-1], names[-1:], **attributes)


def proto(
    *nodes: onnx.NodeProto,
    shape: Shape = ("n", 3, 2, 2),
    dtype: int = TensorProto.FLOAT,
    weights: Weights | None = None,
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
    outputs: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """Return a model of the input x; its outputs, of the named types, say nothing of their shapes."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", dtype, shape)] if inputs is None else inputs,
        [helper.make_tensor_value_info(name, kind, None) for name, kind in (outputs or {"y": dtype}).items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def build(*nodes: onnx.NodeProto, **settings: Any) -> bytes:
    data: bytes = proto(*nodes, **settings).SerializeToString()
    return data


def flattening(shape: Shape = ("n", 3, 2, 2), dtype: int = TensorProto.FLOAT) -> bytes:
    """Return a model whose vectors are what it is given."""
    return build(node("Flatten", "x", "y"), shape=shape, dtype=dtype)


def convolving(shape: Shape = ("n", 3, 32, 32)) -> bytes:
    """Return a small network with two convolutions and a large product."""
    return build(
        node("Conv", "x", "w", "a", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", "a", "b"),
        node("Conv", "b", "v", "c"),
        node("Flatten", "c", "d"),
        node("MatMul", "d", "m", "y"),
        shape=shape,
        weights={"w": weights_of(24, 3, 3, 3), "v": weights_of(16, 24, 1, 1), "m": weights_of(16 * 16 * 16, 40)},
    )


def weights_of(*shape: int) -> Pixels:
    weights: Pixels = np.sin(np.arange(np.prod(shape)) * 12.9898).astype(np.float32)
    return weights.reshape(shape)


def opened(data: bytes, settings: ModelSettings = DEFAULT, files: Mapping[str, bytes] | None = None) -> Model:
    return open_model(data, files or {}, settings, "model.onnx")


def refusal(data: bytes, settings: ModelSettings = DEFAULT, files: Mapping[str, bytes] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        opened(data, settings, files)
    message = str(caught.value)
    assert "\n" not in message
    return message


def uniform(*color: int, size: tuple[int, int] = (2, 2)) -> Pixels:
    return np.full((size[1], size[0], 3), color, np.uint8)


def scene(number: int, size: tuple[int, int] = (40, 30)) -> Pixels:
    """Return a picture of its own for each number."""
    rows, columns = np.indices(size[::-1])
    bands = [(rows * (3 + number) + columns * (5 + band) + 31 * number) % 256 for band in range(3)]
    return np.stack(bands, axis=2).astype(np.uint8)


def test_levels_are_scaled_to_one_and_standardized_channel_by_channel() -> None:
    vector = opened(flattening()).embed([uniform(255, 0, 51)])[0]
    assert vector.tolist() == pytest.approx([2.2489083] * 4 + [-2.0357143] * 4 + [-0.9155556] * 4, abs=1e-6)


def test_mean_and_std_stay_with_their_color_when_blue_comes_first() -> None:
    vector = opened(flattening(), ModelSettings(channels="bgr")).embed([uniform(255, 0, 51)])[0]
    assert vector.tolist() == pytest.approx([-0.9155556] * 4 + [-2.0357143] * 4 + [2.2489083] * 4, abs=1e-6)


def test_the_layout_is_where_the_three_stands() -> None:
    picture = np.array([[[255, 0, 51], [0, 51, 255]]], np.uint8)
    first = opened(flattening(("n", 3, 1, 2)), PLAIN).embed([picture])[0]
    last = opened(flattening(("n", 1, 2, 3)), PLAIN).embed([picture])[0]
    assert first.tolist() == pytest.approx([1, 0, 0, 0.2, 0.2, 1])
    assert last.tolist() == pytest.approx([1, 0, 0.2, 0, 0.2, 1])


def test_colors_stand_first_where_both_axes_are_of_three() -> None:
    model = opened(flattening(("n", 3, 2, 3)))
    assert (model.image_input.size, model.image_input.is_channels_last) == ((3, 2), False)


def test_a_model_with_nothing_fixed_takes_colors_first() -> None:
    model = opened(flattening(("n", "c", "h", "w")), ModelSettings(size=(2, 1)))
    assert (model.image_input.n_channels, model.image_input.is_channels_last) == (3, False)
    assert model.n_dimensions == 6


def test_a_model_of_bytes_takes_levels_as_they_are() -> None:
    assert opened(flattening(dtype=TensorProto.UINT8)).embed([uniform(255, 0, 51)])[0].tolist() == (
        [255.0] * 4 + [0.0] * 4 + [51.0] * 4
    )


@pytest.mark.parametrize(("dtype", "error"), [(TensorProto.FLOAT16, 1e-3), (TensorProto.DOUBLE, 1e-6)])
def test_a_model_may_take_numbers_of_another_length(dtype: int, error: float) -> None:
    vector = opened(flattening(dtype=dtype)).embed([uniform(255, 0, 51)])[0]
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([2.2489083] * 4 + [-2.0357143] * 4 + [-0.9155556] * 4, abs=error)


@pytest.mark.parametrize("shape", [("n", 1, 2, 2), ("n", 2, 2, 1)])
def test_a_gray_model_takes_luma_and_the_average_of_mean_and_std(shape: Shape) -> None:
    """Red is 76 of 255 in luma: 76 / 255 - 0.4 over 0.5."""
    settings = ModelSettings(mean=(0.3, 0.4, 0.5), std=(0.4, 0.5, 0.6))
    model = opened(flattening(shape), settings)
    assert model.embed([uniform(255, 0, 0)])[0].tolist() == pytest.approx([-0.2039216] * 4, abs=1e-6)
    assert model.described()["mean"] == pytest.approx([0.4])
    assert model.described()["channels"] == "gray"


def test_the_middle_of_a_picture_is_cut_in_the_shape_of_the_input() -> None:
    model = opened(flattening(("n", 3, 4, 4)), PLAIN)
    assert model.embed([RED_GREEN_BLUE])[0].tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 16
    assert model.embed([RED_GREEN_BLUE.transpose(1, 0, 2)])[0].tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 16


def test_an_input_may_be_longer_than_high() -> None:
    """The upper and the lower quarter are cut off."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2:6, :4] = 255
    vector = opened(flattening(("n", 3, 4, 8)), PLAIN).embed([picture])[0]
    assert vector[:32].reshape(4, 8).tolist() == [[1.0] * 4 + [0.0] * 4] * 4


def test_a_squashed_picture_is_there_from_edge_to_edge() -> None:
    settings = ModelSettings(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), fit="squash")
    red, green, blue = opened(flattening(("n", 3, 4, 4)), settings).embed([RED_GREEN_BLUE])[0].reshape(3, 4, 4)
    assert red[0, 0] > 0.9
    assert green[0, 1] > 0.5
    assert blue[0, 3] > 0.9


def test_what_is_fine_is_averaged_when_a_picture_is_shrunk() -> None:
    rows, columns = np.indices((256, 256))
    checks = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    vector = opened(flattening(("n", 3, 4, 4)), PLAIN).embed([checks])[0]
    assert vector.tolist() == pytest.approx([0.5] * 48, abs=0.01)


def test_pictures_of_every_shape_are_taken() -> None:
    model = opened(flattening(("n", 3, 5, 7)), PLAIN)
    sizes = [(width, height) for width in range(1, 40) for height in (1, 2, 3, 7, 11, 49)] + [(20_000, 1), (1, 20_000)]
    vectors = model.embed([uniform(255, 255, 255, size=size) for size in sizes])
    assert vectors.tolist() == [[1.0] * 105] * len(sizes)


@pytest.mark.parametrize(
    ("shape", "asked", "size"),
    [
        (("n", 3, "h", "w"), None, (224, 224)),
        (("n", 3, None, None), (6, 4), (6, 4)),
        (("n", 3, 4, 6), None, (6, 4)),
        (("n", 3, 4, 6), (6, 4), (6, 4)),
        (("n", 4, 6, 3), None, (6, 4)),
        (("n", 3, 4, "w"), None, (224, 4)),
    ],
)
def test_the_size_is_the_models_own_else_the_one_asked_for(
    shape: Shape, asked: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    model = opened(flattening(shape), ModelSettings(size=asked))
    assert model.image_input.size == size
    assert model.described()["size"] == list(size)
    assert model.n_dimensions == 3 * size[0] * size[1]


def test_a_vector_is_the_same_alone_in_any_position_and_in_any_company() -> None:
    model = opened(convolving())
    pictures = [scene(number) for number in range(19)]
    alone = [model.embed([picture]).tobytes() for picture in pictures]
    assert len(set(alone)) == 19
    assert [row.tobytes() for row in model.embed(pictures)] == alone
    assert [row.tobytes() for row in model.embed(pictures[::-1])] == alone[::-1]
    assert [row.tobytes() for row in model.embed(pictures[3:7] * 2)] == alone[3:7] * 2
    assert opened(convolving()).embed(pictures[5:6]).tobytes() == alone[5]


def test_no_picture_has_a_say_in_the_vector_of_another_where_a_model_looks_at_all_it_is_given() -> None:
    """The product is by the least level of the whole batch, as models of 8 bits scale what they are given."""
    nodes = (node("ReduceMin", "x", "least", keepdims=0), node("Mul", "x", "least", "a"), node("Flatten", "a", "y"))
    for n_pictures in ("n", 1, 4):
        model = opened(build(*nodes, shape=(n_pictures, 3, 2, 2)), PLAIN)
        vectors = model.embed([uniform(51, 102, 255), uniform(0, 0, 0)])
        assert vectors[0].tolist() == pytest.approx([0.04] * 4 + [0.08] * 4 + [0.2] * 4)


def test_a_model_of_several_pictures_at_once_gives_what_one_of_a_single_picture_gives() -> None:
    pictures = [scene(number) for number in range(3)]
    several = opened(convolving((4, 3, 32, 32)))
    assert several.image_input.n_pictures == 4
    vectors = several.embed(pictures)
    assert vectors[2:].tobytes() == several.embed(pictures[2:]).tobytes()
    assert np.allclose(vectors, opened(convolving((1, 3, 32, 32))).embed(pictures), rtol=1e-4, atol=1e-3)


def test_no_pictures_have_no_vectors() -> None:
    vectors = opened(convolving()).embed([])
    assert vectors.shape == (0, 40)
    assert vectors.dtype == np.float32


def test_a_picture_is_not_written_to() -> None:
    picture = scene(1, size=(2, 2))
    picture.setflags(write=False)
    opened(flattening()).embed([picture])


def test_space_is_averaged() -> None:
    """Half of the picture is white: the first numbers are of red, green and blue."""
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = (255, 51, 0)
    assert opened(build(node("Identity", "x", "y")), PLAIN).embed([picture])[0].tolist() == pytest.approx([0.5, 0.1, 0])


def test_space_is_averaged_where_the_channels_stand_last() -> None:
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[0] = (255, 51, 0)
    model = opened(build(node("Identity", "x", "y"), shape=("n", 2, 4, 3)), PLAIN)
    assert model.embed([picture])[0].tolist() == pytest.approx([0.5, 0.1, 0])


def test_tokens_are_averaged() -> None:
    """Four tokens of two numbers: 1, 0 and 0.2, 0.2 and 0, 0 and 1, 1."""
    model = opened(
        build(node("Reshape", "x", "s", "y"), shape=("n", 1, 2, 4), weights={"s": np.array([-1, 4, 2])}), PLAIN
    )
    gray = np.array([[255, 0, 51, 51], [0, 0, 255, 255]], np.uint8)
    assert model.embed([np.repeat(gray[:, :, None], 3, axis=2)])[0].tolist() == pytest.approx([0.55, 0.3])


def test_whole_numbers_are_vectors_too() -> None:
    nodes = (node("Flatten", "x", "a"), node("Cast", "a", "y", to=TensorProto.INT64))
    model = opened(build(*nodes, dtype=TensorProto.UINT8, outputs={"y": TensorProto.INT64}))
    assert model.embed([uniform(3, 4, 5)])[0].tolist() == [3.0] * 4 + [4.0] * 4 + [5.0] * 4


def test_numbers_that_are_none_are_given_as_they_are_and_in_silence() -> None:
    nodes = (node("Log", "x", "a"), node("Flatten", "a", "y"))
    vectors = opened(build(*nodes), PLAIN).embed([uniform(255, 0, 255)])
    assert vectors[0].tolist() == [0.0] * 4 + [-np.inf] * 4 + [0.0] * 4
    averaged = opened(build(node("Log", "x", "y")), ModelSettings()).embed([uniform(255, 0, 255)])
    assert np.isnan(averaged[0]).tolist() == [False, True, False]


def test_numbers_too_large_for_32_bits_are_infinite_in_silence() -> None:
    nodes = (node("Flatten", "x", "a"), node("Mul", "a", "k", "y"))
    model = opened(build(*nodes, dtype=TensorProto.DOUBLE, weights={"k": 1e300}), PLAIN)
    assert np.isinf(model.embed([uniform(255, 255, 255)])).all()


TWO_OUTPUTS = (node("Flatten", "x", "logits"), node("GlobalAveragePool", "x", "features"))


def two_outputs() -> bytes:
    return build(*TWO_OUTPUTS, outputs={"logits": TensorProto.FLOAT, "features": TensorProto.FLOAT})


def test_the_output_is_the_first_or_the_one_that_is_named() -> None:
    first, named = opened(two_outputs()), opened(two_outputs(), ModelSettings(output="features"))
    assert (first.n_dimensions, named.n_dimensions) == (12, 3)
    assert (first.described()["output"], named.described()["output"]) == ("logits", "features")


def test_an_output_that_is_not_there_is_told_with_those_that_are() -> None:
    assert refusal(two_outputs(), ModelSettings(output="feature")) == (
        "model.onnx: has no output 'feature', but 'logits', 'features'; did you mean 'features'?"
    )


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ([1, 2, 3], "has shape (1,) for 1"),
        ([2, 3], ""),
        ([0, 2, 3], "has shape (3,) for 1"),
    ],
)
def test_an_output_that_is_no_vector_is_refused(axes: list[int], reason: str) -> None:
    data = build(node("ReduceMean", "x", "y", axes=axes, keepdims=0))
    if not reason:
        assert opened(data).n_dimensions == 3
    else:
        assert refusal(data).startswith(f"model.onnx: the output 'y' {reason}: (1, numbers) is needed: name another")


def test_an_output_of_another_number_of_pictures_is_refused() -> None:
    data = build(node("Concat", "x", "x", "a", axis=0), node("Flatten", "a", "y"))
    assert "the output 'y' has shape (2, 12) for 1" in refusal(data)


def test_an_empty_output_is_refused() -> None:
    data = build(node("Flatten", "x", "a"), node("Slice", "a", "z", "z", "i", "y"), weights={"z": [0], "i": [1]})
    assert "the output 'y' has shape (1, 0) for 1" in refusal(data)


def test_an_output_of_one_number_is_refused() -> None:
    data = build(node("ReduceMean", "x", "a", axes=[1, 2, 3], keepdims=0), node("Reshape", "a", "s", "y"),
                 weights={"s": np.array([-1, 1])})  # fmt: skip
    assert "the output 'y' is one number for each picture" in refusal(data)


@pytest.mark.parametrize("dtype", [TensorProto.BOOL, TensorProto.STRING])
def test_an_output_without_numbers_is_refused(dtype: int) -> None:
    data = build(node("Flatten", "x", "a"), node("Cast", "a", "y", to=dtype), outputs={"y": dtype})
    assert "the output 'y' holds no numbers" in refusal(data)


def test_an_output_that_is_longer_for_some_pictures_is_refused() -> None:
    """What is black is left out."""
    nodes = (node("Flatten", "x", "a"), node("Greater", "a", "z", "b"), node("Reshape", "b", "s", "c"),
             node("Compress", "a", "c", "y", axis=1))  # fmt: skip
    weights = {"z": np.float32(0.1), "s": np.array([-1])}
    model = opened(build(*nodes, weights=weights), PLAIN)
    with pytest.raises(UsageError, match="has 12 numbers for one picture and 4 for another"):
        model.embed([uniform(255, 0, 0)])


def test_a_model_that_draws_lots_is_refused() -> None:
    data = build(node("RandomUniformLike", "x", "r"), node("Add", "x", "r", "a"), node("Flatten", "a", "y"))
    assert "gives one picture two vectors: export the model for inference" in refusal(data)


def test_weights_that_are_listed_as_inputs_do_not_count() -> None:
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 2, 2)),
        helper.make_tensor_value_info("k", TensorProto.FLOAT, ()),
    ]
    nodes = (node("Mul", "x", "k", "a"), node("Flatten", "a", "y"))
    model = opened(build(*nodes, inputs=inputs, weights={"k": np.float32(2)}), PLAIN)
    assert model.embed([uniform(255, 255, 255)])[0].tolist() == [2.0] * 12


def test_a_model_of_several_inputs_is_refused_with_all_of_them() -> None:
    inputs = [
        helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("n", 3, 2, 2)),
        helper.make_tensor_value_info("tokens", TensorProto.INT64, ("n", None)),
    ]
    nodes = (node("Flatten", "pixels", "y"), node("Identity", "tokens", "z"))
    data = build(*nodes, inputs=inputs, outputs={"y": TensorProto.FLOAT, "z": TensorProto.INT64})
    assert refusal(data) == (
        "model.onnx: has 2 inputs ('pixels' (n, 3, 2, 2) tensor(float), 'tokens' (n, ?) tensor(int64)): "
        "export the part that takes images alone"
    )


def test_a_model_without_inputs_is_refused() -> None:
    data = build(node("Identity", "k", "y"), inputs=[], weights={"k": np.ones((1, 3), np.float32)})
    assert refusal(data).startswith("model.onnx: has 0 inputs (none)")


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        (("n", 3, 2), "'x' (n, 3, 2) tensor(float)"),
        (("n", 3, 2, 2, 2), "'x' (n, 3, 2, 2, 2) tensor(float)"),
        (("n", 4, 8, 8), "'x' (n, 4, 8, 8) tensor(float)"),
        (("n", "h", "w", 4), "'x' (n, h, w, 4) tensor(float)"),
    ],
)
def test_an_input_that_takes_no_images_is_refused(shape: Shape, shown: str) -> None:
    assert refusal(flattening(shape)).startswith(f"model.onnx: the input {shown} takes no images: (N, 3, H, W)")


def test_an_input_of_another_type_is_refused() -> None:
    assert refusal(flattening(dtype=TensorProto.INT64)) == (
        "model.onnx: the input 'x' (n, 3, 2, 2) tensor(int64) is none of: "
        "tensor(float), tensor(float16), tensor(double), tensor(uint8)"
    )


def test_a_size_that_is_not_the_models_is_refused() -> None:
    assert refusal(flattening(("n", 3, 4, 6)), ModelSettings(size=(6, 5))) == (
        "model.onnx: the input 'x' (n, 3, 4, 6) tensor(float) is of 6x4: leave the size 6x5 out"
    )


def test_a_model_of_huge_pictures_is_refused() -> None:
    assert "is of 4097x4: sides of at most 4096 pixels are taken" in refusal(flattening(("n", 3, 4, 4097)))


def test_a_size_that_a_model_cannot_work_on_is_refused_as_it_is_opened() -> None:
    data = build(node("Reshape", "x", "s", "y"), shape=("n", 3, "h", "w"), weights={"s": np.array([-1, 27])})
    assert opened(data, ModelSettings(size=(3, 3))).n_dimensions == 27
    assert refusal(data, ModelSettings(size=(5, 5))).startswith("model.onnx: fails on a picture of 5x5: ")


@pytest.mark.parametrize("settings", [ModelSettings(mean=(0.0, 0.0, 0.0)), ModelSettings(std=(1.0, 1.0, 1.0))])
def test_statistics_for_a_model_of_bytes_are_refused(settings: ModelSettings) -> None:
    message = refusal(flattening(dtype=TensorProto.UINT8), settings)
    assert message == "model.onnx: the input 'x' takes levels of 0 to 255: leave mean and std out"


def test_an_order_of_channels_for_a_gray_model_is_refused() -> None:
    message = refusal(flattening(("n", 1, 2, 2)), ModelSettings(channels="bgr"))
    assert message == "model.onnx: the input 'x' takes gray: leave channels out"


BROKEN = {
    "empty": b"",
    "a text": b"version https://git-lfs.github.com/spec/v1\n",
    "cut": convolving()[:-1000],
    "zeros": bytes(1000),
    "noise": bytes(value * 37 % 256 for value in range(1000)),
    "without an end": b"\x3a\xff",
    "of an operation that is unknown": build(node("Nothing", "x", "y")),
    "of nothing but its version": b"\x08\x08",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_told_in_one_line_and_by_nobody_else(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    message = refusal(BROKEN[name])
    assert message.startswith("model.onnx: not a")
    assert "ONNXRuntimeError" not in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a text", "cut", "zeros", "noise", "without an end"])
def test_what_is_no_model_names_no_weights(name: str) -> None:
    with pytest.raises(UsageError, match=r"^model\.onnx: not an ONNX model, or damaged$"):
        weight_files(BROKEN[name], "model.onnx")


def test_a_failure_is_told_in_one_line_whatever_the_parts_of_a_model_are_called() -> None:
    step = node("Reshape", "x", "s", "y", name="two\nlines")
    data = build(step, shape=("n", 3, "h", "w"), weights={"s": np.array([-1, 27])})
    assert "Name:'two lines'" in refusal(data, ModelSettings(size=(5, 5)))


def test_failing_at_work_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    data = build(node("Reshape", "x", "s", "y"), shape=("n", 3, "h", "w"), weights={"s": np.array([-1, 27])})
    refusal(data, ModelSettings(size=(5, 5)))
    assert capfd.readouterr() == ("", "")


def test_no_memory_is_no_fault_of_the_model() -> None:
    nodes = (node("ConstantOfShape", "s", "a"), node("ReduceSum", "a", "b", keepdims=0), node("Add", "x", "b", "y"))
    with pytest.raises(MemoryError):
        opened(build(*nodes, weights={"s": np.array([2**25, 2**25])}))


def beside(tmp_path: Path, model: onnx.ModelProto) -> tuple[bytes, bytes]:
    """Return a model and the file that it has its weights in."""
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="model.onnx_data", size_threshold=0,
              convert_attribute=True)  # fmt: skip
    data, weights = ((tmp_path / name).read_bytes() for name in ("model.onnx", "model.onnx_data"))
    (tmp_path / "model.onnx_data").unlink()
    return data, weights


def tripled() -> onnx.ModelProto:
    nodes = (node("Mul", "x", "k", "a"), node("Flatten", "a", "y"))
    return proto(*nodes, weights={"k": np.array([[[3.0]]] * 3, np.float32)})


def test_weights_may_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    data, weights = beside(tmp_path, tripled())
    assert weight_files(data, "model.onnx") == ("model.onnx_data",)
    model = opened(data, PLAIN, {"model.onnx_data": weights, "another": b""})
    assert model.embed([uniform(255, 255, 255)])[0].tolist() == [3.0] * 12
    assert model.described()["weights"] == {"model.onnx_data": hashlib.sha256(weights).hexdigest()}


def test_weights_are_found_in_operations_and_branches(tmp_path: Path) -> None:
    made = [helper.make_tensor_value_info("k", TensorProto.FLOAT, None)]
    ones = numpy_helper.from_array(np.ones(2, np.float32), "ones")
    branches = [helper.make_graph([node("Constant", "k", value=ones)], name, [], made) for name in ("then", "else")]
    model = proto(helper.make_node("If", ["b"], ["y"], then_branch=branches[0], else_branch=branches[1]))
    assert weight_files(beside(tmp_path, model)[0], "model.onnx") == ("model.onnx_data",)


def test_weights_are_found_behind_numbers_of_every_length(tmp_path: Path) -> None:
    """An attribute that is a fraction has four bytes; what has eight is of no field that is known."""
    slope = node("LeakyRelu", "x", "a", alpha=0.5)
    data, _ = beside(tmp_path, proto(slope, node("Mul", "a", "k", "y"), weights={"k": np.ones(1, np.float32)}))
    assert weight_files(b"\x09" + bytes(8) + data, "model.onnx") == ("model.onnx_data",)


def test_a_model_that_holds_its_weights_needs_no_file() -> None:
    assert weight_files(convolving(), "model.onnx") == ()


def test_weights_that_are_missing_are_told_and_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, weights = beside(tmp_path, tripled())
    (tmp_path / "model.onnx_data").write_bytes(weights)
    monkeypatch.chdir(tmp_path)
    assert refusal(data) == "model.onnx: its weights 'model.onnx_data' are missing: put that file beside it"


def test_weights_that_are_cut_are_told(tmp_path: Path) -> None:
    data, weights = beside(tmp_path, tripled())
    assert refusal(data, files={"model.onnx_data": weights[:5]}).startswith("model.onnx: not a model")


@pytest.mark.parametrize("name", ["/etc/passwd", "../weights", "a/../../b", "", ".", "a\0b"])
def test_weights_in_another_folder_are_refused(tmp_path: Path, name: str) -> None:
    model = onnx.load_from_string(beside(tmp_path, tripled())[0])
    model.graph.initializer[0].external_data[0].value = name
    with pytest.raises(UsageError, match="which is not in its folder"):
        weight_files(model.SerializeToString(), "model.onnx")


def test_what_is_described_is_all_that_decides_a_vector_and_goes_into_json() -> None:
    data = flattening(("n", 3, 4, 6))
    assert json.loads(json.dumps(opened(data).described())) == {
        "model": hashlib.sha256(data).hexdigest(),
        "size": [6, 4],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "channels": "rgb",
        "fit": "crop",
        "output": "y",
    }


def test_a_model_of_bytes_has_no_statistics() -> None:
    described = opened(flattening(dtype=TensorProto.UINT8)).described()
    assert (described["mean"], described["std"]) == (None, None)


def test_a_table_says_what_it_says_and_the_rest_stays() -> None:
    content = {
        "size": [320, 240],
        "mean": [0.5, 0, 1],
        "std": 0.5,
        "channels": "bgr",
        "output": "pool",
        "fit": "squash",
    }
    settings = parse_settings(content, "model.toml")
    assert settings == ModelSettings((320, 240), (0.5, 0.0, 1.0), (0.5, 0.5, 0.5), "bgr", "pool", "squash")
    assert parse_settings({"fit": "crop"}, "the command line", settings) == ModelSettings(
        (320, 240), (0.5, 0.0, 1.0), (0.5, 0.5, 0.5), "bgr", "pool", "crop"
    )
    assert parse_settings({}, "model.toml") == ModelSettings(
        None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb", None, "crop"
    )


@pytest.mark.parametrize(
    ("written", "size"),
    [(224, (224, 224)), ("224", (224, 224)), ("320x240", (320, 240)), ([1, 4096], (1, 4096))],
)
def test_a_size_is_written_as_number_text_or_list(written: object, size: tuple[int, int]) -> None:
    assert parse_settings({"size": written}, "model.toml").size == size


def test_statistics_are_written_as_text_too() -> None:
    settings = parse_settings({"mean": "0.1, 0.2,.3", "std": "0.5"}, "--model-setting")
    assert (settings.mean, settings.std) == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))


def test_a_key_that_is_unknown_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^model\.toml: 'chanels' is no setting of a model; did you mean 'channels'\?$"
    ):
        parse_settings({"chanels": "rgb"}, "model.toml")


ILLEGAL: Mapping[str, Sequence[object]] = {
    "size": [0, 4097, -1, 2.0, True, "big", "224,224", "0x5", "5000x5", [224], [1, 2, 3], [1, 2.5], None],
    "mean": ["bright", "0.5,0.5", "", [0.5, 0.5], [0.5, 0.5, "a"], True, [True, 0, 0], float("nan"), 123.7, None],
    "std": [0, 0.0, [0.2, 0, 0.2], -1, float("inf"), 58.4, [], {}],
    "channels": ["gray", "", 3, ["rgb"]],
    "output": ["", 0, ["y"]],
    "fit": ["pad", False],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in ILLEGAL.items() for value in values])
def test_a_value_that_is_illegal_is_refused_by_file_and_key(key: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({key: value}, "model.toml")
    assert str(caught.value).startswith(f"model.toml: {key} = {value!r} is not ")


def test_statistics_for_255_levels_are_told_what_to_do() -> None:
    with pytest.raises(UsageError, match="for levels of 0 to 1: divide those for 255 by 255"):
        parse_settings({"mean": [123.675, 116.28, 103.53]}, "model.toml")


def test_a_missing_onnxruntime_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert refusal(flattening()) == ("--embedder onnx: needs onnxruntime: pip install 'rebalance-images[onnx]'")


def test_onnxruntime_reports_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("onnxruntime.disable_telemetry_events", lambda: told.append("no events"))
    opened(flattening())
    assert told == ["no events"]


def test_onnxruntime_is_imported_when_a_model_is_opened_and_not_before() -> None:
    code = "import sys, rebalance.images.model; print('onnxruntime' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("False\n", "")
