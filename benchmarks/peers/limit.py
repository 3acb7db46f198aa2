"""The least that any program has to do: decode every source once, encode it once per output, in two processes."""

from functools import partial
from pathlib import Path

from PIL import Image
from work import QUALITY, asked, in_two_processes


def recode(size: tuple[int, int] | None, job: tuple[Path, list[Path]]) -> None:
    """Decode an image, in the output's size where it has one, and encode it for each of its files."""
    source, outputs = job
    with Image.open(source) as image:
        picture = image.resize(size, Image.Resampling.BILINEAR) if size else image
        for output in outputs:
            picture.save(output, quality=QUALITY)


if __name__ == "__main__":
    arguments = asked()
    in_two_processes(partial(recode, arguments.size), arguments.jobs())
