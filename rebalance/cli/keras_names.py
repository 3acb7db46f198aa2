"""What is said about the names of Keras' `ImageDataGenerator` that no file of pictures can hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from rebalance.errors import UsageError

_NORMALIZATION = "keras.layers.Normalization(), adapted to the original training images and not to their copies"
_PER_IMAGE = "keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-6, center=False, scale=False)"

TRAINING: Mapping[str, str] = {
    "rescale": "make keras.layers.Rescaling(FACTOR), such as Rescaling(1/255), the first layer of the model",
    "featurewise_center": (
        f"put {_NORMALIZATION}, into the model; to center alone, give it their mean= and variance=[1, 1, 1]"
    ),
    "featurewise_std_normalization": f"put {_NORMALIZATION}, into the model",
    "samplewise_center": (
        f"put {_PER_IMAGE} into the model, which divides by the deviation, too; to center alone, subtract the mean of "
        "each image in the loader"
    ),
    "samplewise_std_normalization": f"put {_PER_IMAGE} into the model",
    "zca_whitening": (
        "Keras 3 has no layer for it: compute the matrix from the original training images and apply it in the loader, "
        "or put keras.layers.Normalization() into the model instead"
    ),
    "zca_epsilon": "it belongs to zca_whitening, which is for the loader",
    "dtype": "keras.utils.image_dataset_from_directory loads any picture as float32; cast in the loader for another",
    "data_format": "call keras.config.set_image_data_format before you load",
}
"""Names that are accepted and change nothing here, each with what to do in the model or the loader instead."""

_OFF: Mapping[str, tuple[Any, ...]] = {"rescale": (0, 1), "data_format": ("channels_last",), "dtype": ("float32",)}
"""Values that change nothing in Keras either; elsewhere that is false."""

REFUSED: Mapping[str, str] = {
    "validation_split": "copies of one image would stand on both sides: split first, then balance the training part",
    "preprocessing_function": "a file holds no function: preprocess before balancing, or in the model",
    "interpolation_order": 'say interpolation = "nearest" for 0, "bilinear" for 1; "bicubic" comes nearest to 3',
}
"""Names whose silence would mislead, each with the way out."""


def training_remarks(where: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to put in the model or the loader instead of the settings that are about training."""
    for key, value in settings.items():
        if key in TRAINING and value not in _OFF.get(key, (False,)):
            yield f"note: {where}: {key} changes nothing here, it is about training: {TRAINING[key]}"


def refuse(where: str, settings: Mapping[str, Any]) -> None:
    """Raise UsageError where a setting cannot be had and must not be ignored."""
    for key in settings:
        if key in REFUSED:
            raise UsageError(f"{where}: {key!r} is no setting of rebalance: {REFUSED[key]}")
