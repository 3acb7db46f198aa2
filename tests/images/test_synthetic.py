import io

import numpy as np
import pytest
from PIL import Image

from rebalance.images.picture import Picture, load_image
from rebalance.images.pipeline import Making
from rebalance.images.pixels import Pixels
from rebalance.images.synthetic import SAME, Parent, blend, nearest_copy
from rebalance.plan import SOURCE_LIKE, Recipe
from rebalance.vectors import Rows

RECIPE: Recipe = {"brightness_range": (0.5, 1.5)}


def picture(image: Image.Image, file_format: str = "PNG", orientation: int = 1) -> Picture:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(file, file_format, exif=exif)
    return load_image(file.getvalue())


def base_of(image: Image.Image, orientation: int = 1) -> Parent:
    return Parent("base", picture(image, orientation=orientation), Making({}, SOURCE_LIKE))


def blended(base: Parent, neighbor: Picture, step: float) -> Pixels:
    data = blend(base, neighbor, step).data
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data)))


def flat(mode: str, color: object, size: tuple[int, int] = (6, 4)) -> Image.Image:
    return Image.new(mode, size, color)  # type: ignore[arg-type]


def test_a_blend_is_the_mean_weighted_by_the_step() -> None:
    made = blended(base_of(flat("RGB", (100, 0, 200))), picture(flat("RGB", (200, 50, 100))), 0.25)
    assert made.shape == (4, 6, 3)
    assert (made == (125, 12, 175)).all()  # 12.5 is rounded to even


def test_the_neighbor_is_brought_to_the_size_of_the_base() -> None:
    made = blended(base_of(flat("RGB", (100, 0, 200))), picture(flat("RGB", (200, 100, 0), (31, 7))), 0.5)
    assert (made == (150, 50, 100)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("other", [1, 6, 7])
def test_both_are_blended_as_they_stand_upright(orientation: int, other: int) -> None:
    upright = Image.new("L", (6, 4))
    upright.paste(200, (0, 0, 3, 2))
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}

    def stored(number: int) -> Image.Image:
        return upright if number == 1 else upright.transpose(Image.Transpose(undone[number]))

    base = base_of(stored(orientation), orientation)
    neighbor = picture(stored(other), orientation=other)
    made = blend(base, neighbor, 0.5)
    assert made.data is None  # byte for byte the base: both are one picture
    assert made.notes == (SAME,)


def test_modes_are_brought_to_that_of_the_base() -> None:
    gray, color = flat("L", 100), flat("RGB", (200, 100, 0))
    assert (blended(base_of(color), picture(gray), 0.5) == (150, 100, 50)).all()
    assert (blended(base_of(gray), picture(color), 0.5) == 110).all()  # luma 118.5, rounded up; then to even
    see_through = flat("RGBA", (0, 0, 0, 0))
    assert (blended(base_of(color), picture(see_through), 0.5) == (228, 178, 128)).all()  # white shows through
    assert (
        blended(base_of(see_through), picture(color), 0.5) == (200, 100, 0, 128)
    ).all()  # what hides is not mixed in


def test_depths_are_scaled() -> None:
    deep = Image.fromarray(np.full((4, 6), 65535, np.uint16))
    assert (blended(base_of(flat("L", 55)), picture(deep), 0.5) == 155).all()
    assert (blended(base_of(deep), picture(flat("L", 0)), 0.5) == 32768).all()


def candidates(aim: float, n_candidates: int = 4) -> tuple[str | None, int | None]:
    """Return which copy is chosen of a dark base and a bright neighbor, by mean brightness."""
    base, neighbor = picture(flat("L", 40)), picture(flat("L", 160))
    seen: list[float] = []

    def draw(candidate: int) -> object:
        return lambda _attempt: ({"brightness": 0.8 + 0.1 * candidate}, b"key")

    def embed(rgb: Pixels) -> Rows:
        seen.append(float(rgb.mean()))
        return np.array([rgb.mean() / 255], np.float32)

    parents = (
        Parent("base", base, Making(RECIPE, SOURCE_LIKE)),
        Parent("neighbor", neighbor, Making(RECIPE, SOURCE_LIKE)),
    )
    shown = nearest_copy(parents, n_candidates, draw, embed, np.array([aim / 255], np.float32))  # type: ignore[arg-type]
    assert len(seen) == n_candidates
    return shown.parent, shown.candidate


def test_the_nearest_of_the_copies_of_both_is_shown() -> None:
    # 36 and 44 of the base, 160 and 192 of the neighbor
    assert candidates(30) == ("base", 1)
    assert candidates(45) == ("base", 3)
    assert candidates(150) == ("neighbor", 2)
    assert candidates(250) == ("neighbor", 4)


def test_of_copies_that_are_as_near_the_first_is_shown() -> None:
    one = picture(flat("L", 90))
    parent = Parent("base", one, Making(RECIPE, SOURCE_LIKE))
    shown = nearest_copy(
        (parent, parent._replace(name="neighbor")),
        6,
        lambda candidate: lambda _attempt: ({"brightness": 1.0}, b"%d" % candidate),
        lambda _rgb: np.array([0.30004], np.float32),
        np.array([0.3], np.float32),
    )
    assert (shown.parent, shown.candidate) == ("base", 1)
