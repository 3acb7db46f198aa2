from collections.abc import Mapping, Sequence

from rebalance.dataset import ClassFolder, Dataset, NamedImages
from rebalance.planning.advice import advise


def dataset(classes: Mapping[str, int | Sequence[str]]) -> Dataset:
    named = {
        name: [f"{index}.jpg" for index in range(names)] if isinstance(names, int) else names
        for name, names in classes.items()
    }
    return Dataset("root", tuple(ClassFolder(name, NamedImages(name, names)) for name, names in named.items()))


def advised(classes: Mapping[str, int | Sequence[str]]) -> list[str]:
    return [f"{advice}: {reason}" for advice, reason in advise(dataset(classes))]


def test_below_three_nothing_is_to_be_done() -> None:
    (line,) = advised({"a": 2999, "b": 1000})
    assert line.startswith("leave it as it is: the imbalance ratio 3.00 is below 3")


def test_from_three_on_probabilities_are_warned_of() -> None:
    (line,) = advised({"a": 1497, "b": 499})
    assert line.startswith("for probabilities, do not balance, or put the prior back")


def test_enough_images_of_every_class_call_for_weights_or_thresholds() -> None:
    first, second = advised({"a": 1500, "b": 500})
    assert first.startswith("for decisions, take weights")
    assert "the smallest class has 500 images" in first
    assert second.startswith("for probabilities")


def test_fewer_than_ten_call_for_more() -> None:
    leave, take = advised({"a": 10, "b": 9, "c": 4})
    assert leave == "leave it as it is: the imbalance ratio 2.50 is below 3, where balancing seldom changes much"
    assert take.startswith("take more pictures of 'b' (9), 'c' (4): fewer than 10 in a class")


def test_what_loaders_pass_over_is_named_by_class() -> None:
    names = ["x.JPG", "x.webp", "y.tif", "z.png", "a.gif", "b.ppm", *(f"{n}.bmp" for n in range(20))]
    keras, torch = [line for line in advised({"a": names, "b": 20}) if line.startswith("convert")]
    assert keras.startswith("convert 3 of 'a' (.ppm, .tif, .webp) for Keras (image_dataset_from_directory)")
    assert torch.startswith("convert 1 of 'a' (.gif) for torchvision (ImageFolder)")
    assert [line for line in advised({"a": 20, "b": 20}) if line.startswith("convert")] == []


def test_an_empty_class_has_no_ratio() -> None:
    (line,) = advised({"a": 20, "b": 0})
    assert line.startswith("take more pictures of 'b' (0)")
