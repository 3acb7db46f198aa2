import io
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rebalance.cli.config import read_bundled
from rebalance.errors import UnfitImageError
from rebalance.plan import Rendering
from rebalance.twins import USUAL, Original, Treatment
from tests.test_transforms import recipe_of

RECIPE = recipe_of(rotation_range=20, brightness_range=0.5, zoom_range=0.3, horizontal_flip=True)


def photo(clothing: Path) -> bytes:
    return min((clothing / "Hat").iterdir()).read_bytes()


def levels(data: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64)


def test_a_twin_looks_the_same_and_is_another_file(clothing: Path) -> None:
    data = photo(clothing)
    twin = Original("Hat/a.jpg", data, Treatment(RECIPE, Rendering(), 0)).drawn()
    assert twin.path == "Hat/a.jpg"
    assert twin.data != data
    difference = np.abs(levels(twin.data) - levels(data))
    assert 0.3 < difference.mean() < 6
    assert Image.open(io.BytesIO(twin.data)).quantization == Image.open(io.BytesIO(data)).quantization  # type: ignore[attr-defined]


def test_what_is_drawn_again_is_seen(clothing: Path) -> None:
    data = photo(clothing)
    twin = Original("Hat/a.jpg", data, Treatment(RECIPE, Rendering(), 0)).redrawn()
    assert np.abs(levels(twin.data) - levels(data)).mean() > 15
    assert twin == Original("Hat/a.jpg", data, Treatment(RECIPE, Rendering(), 0)).redrawn()


def test_a_twin_depends_on_seed_and_path_alone(clothing: Path) -> None:
    data, treatment = photo(clothing), Treatment(RECIPE, Rendering(), 0)
    assert Original("Hat/a.jpg", data, treatment).drawn() == Original("Hat/a.jpg", data, treatment).drawn()
    assert Original("Hat/b.jpg", data, treatment).drawn().data != Original("Hat/a.jpg", data, treatment).drawn().data
    assert (
        Original("Hat/a.jpg", data, treatment._replace(seed=1)).drawn().data
        != Original("Hat/a.jpg", data, treatment).drawn().data
    )


@pytest.mark.parametrize("originals", ["keep", "transform"])
def test_an_original_stays_as_it_is_where_originals_do(clothing: Path, originals: str) -> None:
    data = photo(clothing)
    twin = Original("Hat/a.jpg", data, Treatment(RECIPE, Rendering(originals=originals), 0)).untouched()
    assert twin == ("Hat/a.jpg", data)


def test_an_original_is_encoded_where_originals_are(clothing: Path) -> None:
    data = photo(clothing)
    treatment = Treatment(RECIPE, Rendering("reencode", size=(64, 48), output_format="png"), 0)
    twin = Original("Hat/a.jpg", data, treatment).untouched()
    assert twin.path == "Hat/a.png"
    assert Image.open(io.BytesIO(twin.data)).size == (64, 48)
    assert Original("Hat/a.jpg", data, treatment).drawn().path == "Hat/a.png"


def test_where_nothing_was_drawn_the_twin_is_its_source(clothing: Path) -> None:
    data = photo(clothing)
    assert Original("Hat/a.jpg", data, Treatment({}, Rendering(), 0)).drawn().data == data


def test_what_nothing_is_made_of_has_no_twin() -> None:
    file = io.BytesIO()
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnfitImageError):
        Original("Hat/a.gif", file.getvalue(), USUAL).drawn()


def test_without_a_tree_the_traces_are_those_of_the_usual_settings() -> None:
    mild = tomllib.loads(read_bundled("mild"))["augment"]
    assert USUAL.recipe == recipe_of(**mild)
    assert USUAL.rendering == Rendering()
