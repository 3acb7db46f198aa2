"""A process that does with the bytes of a file all that the program does, and says what came of it and what it took."""

import contextlib
import io
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import NamedTuple

from PIL import Image

from rebalance.errors import BadImageError, UnfitImageError
from rebalance.images.codec import check_header, check_pixels
from rebalance.images.container import read_container
from rebalance.images.embedding import EMBEDDERS, embed_image
from rebalance.images.picture import load_source
from rebalance.images.pipeline import MadeFile, Making, make_copy, remake
from rebalance.plan import MAX_PIXELS, Rendering
from tests.images.pictures import rotation_recipe

SOUND = "sound"


class Looked(NamedTuple):
    """What came of each way of looking at a file: SOUND, or why not; and what all of them took."""

    outcomes: Mapping[str, str]
    unexpected: Mapping[str, str]
    """Of ways that did not end as they may, how they did."""
    noise: str
    """What was written to stderr."""
    seconds: float
    grown: int
    """Bytes of memory, at the most."""


def _copied(data: bytes, rendering: Rendering) -> None:
    recipe = rotation_recipe()
    picture = load_source(data, rendering, recipe)
    made = make_copy(picture, Making(recipe, rendering), lambda _attempt: ({"rotation": 5.0}, b"key"))
    _check_made(made)


def _reencoded(data: bytes, rendering: Rendering) -> None:
    picture = load_source(data, rendering, {})
    _check_made(remake(picture, Making({}, rendering), {}, b""))


def _check_made(made: MadeFile) -> None:
    """Open what was made, as anyone would."""
    if made.data is None:
        return
    image = Image.open(io.BytesIO(made.data))
    image.load()
    assert image.size == (made.header.width, made.header.height)


def _ways(max_pixels: int) -> Mapping[str, Callable[[bytes], object]]:
    pillow = Rendering(max_pixels=max_pixels)
    opencv = pillow._replace(engine="opencv")
    smaller = pillow._replace(size=(16, 12), originals="reencode")
    return {
        "header": lambda data: check_header(data, max_pixels),
        "pixels": lambda data: check_pixels(data, max_pixels),
        "container": lambda data: read_container(data, max_pixels),
        "embedding": lambda data: embed_image(data, EMBEDDERS["descriptor"], max_pixels),
        "copy by Pillow": lambda data: _copied(data, pillow),
        "copy by OpenCV": lambda data: _copied(data, opencv),
        "smaller": lambda data: _reencoded(data, smaller),
        "as it is": lambda data: _reencoded(data, pillow._replace(originals="reencode", output_format="webp")),
    }


def _look(data: bytes, ways: Mapping[str, Callable[[bytes], object]], noise: io.BufferedRandom) -> Looked:
    outcomes, unexpected = {}, {}
    noise.seek(0)
    noise.truncate(0)
    resting = _begin_peak()
    started = time.monotonic()
    for name, way in ways.items():
        try:
            way(data)
            outcomes[name] = SOUND
        except (BadImageError, UnfitImageError) as error:
            outcomes[name] = str(error)
        except Exception as error:  # noqa: BLE001  that is what is looked for
            unexpected[name] = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - started
    noise.seek(0)
    return Looked(outcomes, unexpected, noise.read().decode(errors="replace"), seconds, _status("VmHWM") - resting)


def _begin_peak() -> int:
    """Let the peak of memory begin anew; return what is in use."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))


def _serve(pipe: Connection, noise_path: str) -> None:
    noise = open(noise_path, "w+b")  # noqa: SIM115  as long as the process
    os.dup2(noise.fileno(), 2)
    while (request := pipe.recv()) is not None:
        data, max_pixels, asked = request
        ways = {name: way for name, way in _ways(max_pixels).items() if name in asked or not asked}
        pipe.send(_look(data, ways, noise))


class Looker:
    """The process, begun anew where it does not answer."""

    def __init__(self, noise_path: str) -> None:
        self._noise_path = noise_path
        self._begin()

    def look(self, data: bytes, *ways: str, max_pixels: int = MAX_PIXELS, seconds: float = 60) -> Looked:
        """Return what came of a file, each way that is named, or all.

        Raises TimeoutError where the process hangs on it, EOFError where it dies.
        """
        self._pipe.send((data, max_pixels, ways))
        if not self._pipe.poll(seconds):
            self.end()
            self._begin()
            raise TimeoutError
        looked: Looked = self._pipe.recv()
        return looked

    def end(self) -> None:
        self._process.kill()
        self._process.join()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._noise_path), daemon=True)
        self._process.start()
        theirs.close()


@contextlib.contextmanager
def looker(noise_path: str) -> Iterator[Looker]:
    one = Looker(noise_path)
    try:
        yield one
    finally:
        one.end()
