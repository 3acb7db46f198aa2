"""What of a class stands in OUTPUT as it is, and what is left out and why."""

from collections.abc import Iterator, Mapping, Sequence

from rebalance.dataset import ClassFolder, ImageFile
from rebalance.plan import Drop, Keep, Unusable
from rebalance.planning.choice import Choice
from rebalance.planning.made import MadeOfClass
from rebalance.planning.naming import Place, original_path


def images_left(folder: ClassFolder, unusable: Mapping[str, Unusable]) -> Sequence[ImageFile]:
    """Return the images that may stand in OUTPUT."""
    if not unusable:
        return folder.images
    return tuple(image for image in folder.images if image.path not in unusable or unusable[image.path].is_kept)


def keep_all(images: Sequence[ImageFile], folder: ClassFolder) -> MadeOfClass:
    """Return what keeps images of a class byte for byte."""

    def made(index: int) -> tuple[Keep]:
        return (Keep(images[index], original_path(Place.in_folder(folder, images[index]), None)),)

    return MadeOfClass(folder, images, made)


def drop_others(folder: ClassFolder, choice: Choice, by: str, unusable: Mapping[str, Unusable]) -> Iterator[Drop]:
    """Yield the operations of the images that are not chosen: left out for their own fault, else `by` what chose."""
    kept = {image.path for image in choice.kept[folder.name]}
    for image in folder.images:
        if image.path not in kept:
            reason, counterpart = choice.left_out.get(image.path, choice.otherwise)
            yield drop(image, f"left out by {by} ({reason})", unusable, counterpart)


def drop(image: ImageFile, reason: str, unusable: Mapping[str, Unusable], counterpart: str | None = None) -> Drop:
    """Return the operation of an image that is left out: for its own fault, else for a reason."""
    fault = unusable.get(image.path)
    if fault is not None and not fault.is_kept:
        return Drop(image, fault.reason, is_bad=True, sha256=fault.sha256)
    return Drop(image, reason, counterpart)
