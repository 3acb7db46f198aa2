"""The pictures of a page, as it carries them within itself: small enough for all of them to fit."""

import base64
from collections.abc import Callable, Mapping, Sequence

from rebalance.dataset import to_bytes
from rebalance.errors import BadImageError
from rebalance.images.thumbnail import render_thumbnail
from rebalance.page.content import Album, Picture, Strip
from rebalance.storage.transfer import read_file

_MOST_BYTES = 2_600_000
"""Of all pictures together, before base 64."""
_SIDES = ((120, 400), (400, 256), (1200, 160))
"""Up to how many pictures -> how many pixels each has at most across and down."""
_LEAST_SIDE = 112
_MOST_STRIPS = 600
"""Of one picture each; fewer strips have more."""

Trees = Mapping[str, str]
"""Name of a tree -> where it lies; a tree that is not at hand is left out."""
Show = Callable[[Picture], str | None]
"""Returns a picture as an address that holds it, or None where there is none or no room."""


def at_hand(albums: Sequence[Album], trees: Trees) -> list[Album]:
    """Return albums with the pictures whose trees are there."""
    return [
        album._replace(strips=tuple(strip for one in album.strips if (strip := _there(one, trees)).pictures))
        for album in albums
    ]


def _there(strip: Strip, trees: Trees) -> Strip:
    return strip._replace(pictures=tuple(picture for picture in strip.pictures if picture.tree in trees))


def thinned(albums: Sequence[Album]) -> list[Album]:
    """Return albums with fewer pictures where there are many, and of very many those of the classes that grow most."""
    n_strips = sum(len(album.strips) for album in albums)
    n_albums = min(len(albums), _MOST_STRIPS * len(albums) // max(1, n_strips))
    order = sorted(range(len(albums)), key=lambda place: -albums[place].growth)[:n_albums]
    n_each = max(1, _MOST_STRIPS // max(1, n_strips))
    return [
        albums[place]._replace(
            strips=tuple(strip._replace(pictures=strip.pictures[:n_each]) for strip in albums[place].strips)
        )
        for place in sorted(order)
    ]


class Gallery:
    """What shows pictures until there is no more room."""

    def __init__(self, trees: Trees, n_pictures: int) -> None:
        """Take how many are to be shown."""
        self.trees = trees
        self.side = next((side for most, side in _SIDES if n_pictures <= most), _LEAST_SIDE)
        self.n_bytes = 0
        self.unread: list[Picture] = []
        """Those of which there is no file that can be read."""

    def show(self, picture: Picture) -> str | None:
        """Return a picture within an address; None where it cannot be read or decoded, or there is no room."""
        if self.n_bytes > _MOST_BYTES:
            return None
        try:
            data = render_thumbnail(read_file(to_bytes(self.trees[picture.tree]), picture.path), self.side)
        except OSError:
            self.unread.append(picture)
            return None
        except BadImageError:
            return None
        self.n_bytes += len(data)
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
