from collections.abc import Sequence

import numpy as np
import pytest
from onnx import TensorProto, helper

from rebalance.errors import UsageError
from rebalance.images.decoder import PLAIN, Decoded, open_decoder
from rebalance.images.model_settings import ModelSettings
from tests.images.test_model import node, proto


def shaped(shape: Sequence[int], numbers: int = 12) -> bytes:
    """Return a decoder that gives its vector another shape."""
    made = proto(
        node("Reshape", "x", "s", "y"),
        inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", numbers])],
        weights={"s": np.array(shape, np.int64)},
    )
    data: bytes = made.SerializeToString()
    return data


def decoded(vector: Sequence[float], shape: Sequence[int] = (-1, 3, 2, 2), settings: ModelSettings = PLAIN) -> Decoded:
    row = np.array(vector, np.float32)
    return open_decoder(shaped(shape, len(row)), {}, settings, "net.onnx").decode(row)


def test_levels_of_0_to_1_are_those_of_a_picture_in_either_layout() -> None:
    levels = [0, 0.2, 0.4, 0.6, 1, 1, 1, 1, 0, 0, 0, 0.8]
    first = decoded(levels).pixels
    assert first.dtype == np.uint8
    assert first[0].tolist() == [[0, 255, 0], [51, 255, 0]]
    assert first[1].tolist() == [[102, 255, 0], [153, 255, 204]]
    last = decoded(np.array(levels).reshape(3, 2, 2).transpose(1, 2, 0).ravel().tolist(), (-1, 2, 2, 3)).pixels
    assert (last == first).all()


def test_mean_and_std_are_undone_and_blue_may_come_first() -> None:
    settings = ModelSettings(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), channels="bgr")
    pixels = decoded([-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1], settings=settings).pixels
    assert pixels[0, 0].tolist() == [255, 128, 0]


def test_one_channel_is_gray() -> None:
    assert decoded([0, 0.2, 0.4, 1], (-1, 1, 2, 2)).pixels.tolist() == [[[0], [51]], [[102], [255]]]


def test_levels_that_are_cut_off_are_said() -> None:
    assert decoded([1.001] * 12).notes == ()
    made = decoded([1.5, -0.5] + [0.5] * 10)
    assert made.notes == ("decoded levels outside of 0 to 1 were cut off",)
    assert made.pixels[0].tolist() == [[255, 128, 128], [0, 128, 128]]


@pytest.mark.parametrize(
    ("data", "settings", "told"),
    [
        (shaped((-1, 3, 2, 2)), ModelSettings(size=(2, 2)), "a decoder makes pictures of its own size: leave size and"),
        (shaped((-1, 3, 2, 2)), ModelSettings(output="z"), "has no output 'z'"),
        (proto(node("Flatten", "x", "y")).SerializeToString(), PLAIN, "one of (N, numbers), tensor(float), is needed"),
        (b"nothing", PLAIN, "not an ONNX model, or damaged"),
    ],
)
def test_what_is_no_decoder_is_refused(data: bytes, settings: ModelSettings, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_decoder(data, {}, settings, "net.onnx")
    assert told in str(caught.value)


def test_what_makes_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has shape \(1, 2, 2, 2\): \(N, 3, H, W\)"):
        decoded([0.0] * 8, (-1, 2, 2, 2))
    with pytest.raises(UsageError, match="makes numbers that are not finite"):
        decoded([np.nan] * 12)
    with pytest.raises(UsageError, match="fails on a vector of 3 numbers"):
        open_decoder(shaped((-1, 3, 2, 2)), {}, PLAIN, "net.onnx").decode(np.zeros(3, np.float32))
