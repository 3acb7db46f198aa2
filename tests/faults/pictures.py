"""Small sound files of every format that is read, and what spoils them, drawn by hashing."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from PIL import Image, PngImagePlugin

from tests.images.pictures import SRGB, deep, encoded, pixels_of, waves

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""What lengths and counts are overwritten with."""
_HUGE = 60_000
_CUT = 8
"""Bytes that every mutation leaves: what is shorter is of no format."""


class Spoiled(NamedTuple):
    """A spoiled file, and how to make it again."""

    name: str
    data: bytes


class Draws:
    """Numbers that a name decides, on every machine."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._n_drawn = 0

    def below(self, limit: int) -> int:
        """Return a number from 0 to below a limit."""
        self._n_drawn += 1
        return int.from_bytes(blake2b(b"%d" % self._n_drawn, key=self._name[:64], digest_size=8).digest()) % limit

    def place(self, data: bytes) -> int:
        """Return a place in a file, as often as not in its head, where what is said of it stands."""
        return self.below(min(len(data), 256) if self.below(2) else len(data))


def sound_files() -> Mapping[str, bytes]:
    """Return one small file of every kind."""
    color, alpha, gray = (_picture(n_channels) for n_channels in (3, 4, 1))
    deep_gray = Image.fromarray(pixels_of(waves(n_channels=1), "uint16")[:, :, 0])
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "baseline.jpg": encoded(color, "JPEG", quality=85),
        "progressive.jpg": encoded(color, "JPEG", progressive=True),
        "cmyk.jpg": encoded(color.convert("CMYK"), "JPEG"),
        "described.jpg": encoded(color, "JPEG", exif=exif, icc_profile=SRGB, comment=b"said"),
        "gray.jpg": encoded(gray, "JPEG"),
        "pair.mpo": encoded(color, "MPO", save_all=True, append_images=[color.rotate(90)]),
        "color.png": encoded(color, "PNG"),
        "alpha.png": encoded(alpha, "PNG", exif=exif, icc_profile=SRGB, pnginfo=_texts()),
        "deep_gray.png": encoded(deep_gray, "PNG"),
        "deep_color.png": deep(pixels_of(waves(n_channels=3), "uint16")),
        "palette.png": encoded(color.quantize(16), "PNG", transparency=3),
        "interlaced.png": _interlaced_png(),
        "lossy.webp": encoded(color, "WEBP", exif=exif, icc_profile=SRGB),
        "lossless.webp": encoded(alpha, "WEBP", lossless=True),
        "moving.webp": encoded(color, "WEBP", save_all=True, append_images=[color.rotate(90)]),
        "color.bmp": encoded(color, "BMP"),
        "palette.bmp": encoded(color.quantize(16), "BMP"),
        "color.ppm": encoded(color, "PPM"),
        "gray.pgm": encoded(gray, "PPM"),
        "text.ppm": b"P3 2 2 255\n" + b"10 20 30 " * 4,
        "raw.tif": encoded(color, "TIFF"),
        "lzw.tif": encoded(alpha, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(deep_gray, "TIFF", compression="tiff_adobe_deflate"),
        "packbits.tif": encoded(color.quantize(16), "TIFF", compression="packbits"),
        "jpeg.tif": encoded(color, "TIFF", compression="jpeg", icc_profile=SRGB),
        "fax.tif": encoded(color.convert("1"), "TIFF", compression="group4"),
        "float.tif": encoded(gray.convert("F"), "TIFF"),
        "still.gif": encoded(color, "GIF"),
        "moving.gif": encoded(color, "GIF", save_all=True, append_images=[color.rotate(90)]),
    }


def spoiled(name: str, data: bytes, n_times: int) -> Iterator[Spoiled]:
    """Yield a file spoiled in so many ways, each way in turn."""
    ways = [*_WAYS, *(way for suffixes, way in _OWN_WAYS if name.endswith(suffixes))]
    for number in range(n_times):
        way = ways[number % len(ways)]
        full_name = f"{name} {way.__name__.strip('_')} {number}"
        yield Spoiled(full_name, way(data, Draws(full_name)))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of every chunk of a sound PNG."""
    found, place = [], 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4])
        found.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def png_of(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG of chunks, with checksums that fit."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in chunks)


def gray_png(width: int, height: int, *extra: tuple[bytes, bytes], n_lines: int | None = None) -> bytes:
    """Return a black PNG with further chunks before its pixels, which may be of fewer lines than its header says."""
    lines = (b"\0" + bytes(width)) * (height if n_lines is None else n_lines)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png_of([(b"IHDR", header), *extra, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])


def moving_png(n_frames: int) -> bytes:
    """Return an animated PNG."""
    header, pixels, end = chunks_of(gray_png(8, 8))
    chunks = [header, (b"acTL", struct.pack(">II", n_frames, 0)), _frame(0), pixels]
    for number in range(1, 2 * n_frames - 1, 2):
        chunks += [_frame(number), (b"fdAT", struct.pack(">I", number + 1) + pixels[1])]
    return png_of([*chunks, end])


def _frame(number: int) -> tuple[bytes, bytes]:
    return b"fcTL", struct.pack(">IIIIIHHBB", number, 8, 8, 0, 0, 1, 1, 0, 0)


def moving_gif(n_frames: int) -> bytes:
    """Return an animated GIF, all frames alike."""
    still = encoded(Image.new("L", (8, 8)), "GIF")
    start = still.index(b",\0\0\0\0")
    return still[:start] + still[start:-1] * n_frames + still[-1:]


def moving_webp(n_frames: int) -> bytes:
    """Return an animated WebP of two frames in turn."""
    color = _picture(3)
    data = encoded(color, "WEBP", save_all=True, append_images=[color.rotate(90)])
    start = data.index(b"ANMF")
    head, frames = data[12:start], data[start:]
    body = b"WEBP" + head + frames * (n_frames // 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of(*directories: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Return a TIFF of such directories, each a line of entries (tag, type, count, value), and 64 gray pixels at 8."""
    content = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(range(64)))
    for number, entries in enumerate(directories):
        end = len(content) + 2 + 12 * len(entries) + 4
        content += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        content += struct.pack("<I", end if number < len(directories) - 1 else 0)
    return bytes(content)


def gray_directory(n_strips: int = 1, strips: int = 8) -> list[tuple[int, int, int, int]]:
    """Return the entries of 8 x 8 gray pixels, in as many strips, whose offsets and sizes lie at `strips`."""
    sizes = 64 if n_strips == 1 else strips
    return [
        (256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, n_strips, strips), (278, 3, 1, 8), (279, 4, n_strips, sizes),
    ]  # fmt: skip


def jpeg_of_scans(n_scans: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a progressive gray JPEG of so many scans, the last one of which says nothing new, again and again."""
    data = encoded(Image.new("L", size, 128), "JPEG", progressive=True)
    starts = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)]
    n_more = n_scans - len(starts) + 1
    return data[: starts[-1]] + data[starts[-1] : -2] * n_more + data[-2:]


def _picture(n_channels: int) -> Image.Image:
    pixels = pixels_of(waves(n_channels=n_channels))
    return Image.fromarray(pixels[:, :, 0] if n_channels == 1 else pixels)


def _texts() -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "plain")
    texts.add_text("Long", "packed " * 40, zip=True)
    texts.add_itxt("Said", "überall", lang="de")
    return texts


def _interlaced_png() -> bytes:
    """Return 8 x 8 gray pixels in the seven passes of Adam7, which Pillow does not write."""
    passes = ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4))
    lines = b"".join((b"\0" + bytes(range(9, 9 + width))) * height for width, height in passes)
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])


def _bits_flipped(data: bytes, draws: Draws) -> bytes:
    content = bytearray(data)
    for _ in range(1 + draws.below(8)):
        content[draws.place(data)] ^= 1 << draws.below(8)
    return bytes(content)


def _cut(data: bytes, draws: Draws) -> bytes:
    return data[: _CUT + draws.below(len(data) - _CUT)]


def _number_overwritten(data: bytes, draws: Draws) -> bytes:
    form = ("<H", ">H", "<I", ">I")[draws.below(4)]
    size = struct.calcsize(form)
    number = _NUMBERS[draws.below(len(_NUMBERS))] % 256**size
    place = draws.place(data)
    return data[:place] + struct.pack(form, number) + data[place + size :]


def _blocks_swapped(data: bytes, draws: Draws) -> bytes:
    first, second = sorted((draws.place(data), draws.place(data)))
    size = min(1 + draws.below(64), second - first)
    one, other = data[first : first + size], data[second : second + size]
    return data[:first] + other + data[first + size : second] + one + data[second + size :]


def _block_doubled(data: bytes, draws: Draws) -> bytes:
    place = draws.place(data)
    end = place + 1 + draws.below(200)
    return data[:end] + data[place:end] * (1 + draws.below(3)) + data[end:]


def _bytes_replaced(data: bytes, draws: Draws) -> bytes:
    place, size = draws.place(data), 1 + draws.below(40)
    new = bytes(draws.below(256) for _ in range(min(size, len(data) - place)))
    return data[:place] + new + data[place + size :]


def _chunk_changed(data: bytes, draws: Draws) -> bytes:
    """Change the content of a chunk of a PNG, whose checksum fits again."""
    chunks = chunks_of(data)
    index = draws.below(len(chunks))
    kind, content = chunks[index]
    way = _WAYS[draws.below(len(_WAYS))]
    chunks[index] = (kind, way(content + bytes(_CUT + 1), draws) if len(content) < _CUT else way(content, draws))
    return png_of(chunks)


def _chunk_moved(data: bytes, draws: Draws) -> bytes:
    """Take a chunk of a PNG away, and put it where chance has it, once, twice or not at all."""
    chunks = chunks_of(data)
    taken = chunks.pop(draws.below(len(chunks)))
    for _ in range(draws.below(3)):
        chunks.insert(draws.below(len(chunks) + 1), taken)
    return png_of(chunks)


def _png_huge(data: bytes, draws: Draws) -> bytes:
    header, *others = chunks_of(data)
    sizes = ((_HUGE, _HUGE), (2**31 - 1, 1), (1, 2**31 - 1), (1000, 1000), (0, 5), (2**32 - 1, 2**32 - 1))
    return png_of([(b"IHDR", struct.pack(">II", *sizes[draws.below(len(sizes))]) + header[1][8:]), *others])


def _jpeg_huge(data: bytes, draws: Draws) -> bytes:
    """Change height and width in the first frame header of a JPEG."""
    place = min(at for at in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if at > 0)
    size = struct.pack(">HH", *((65535, 65535), (1000, 1000), (0, 64), (65535, 1))[draws.below(4)])
    return data[: place + 5] + size + data[place + 9 :]


def _tiff_entry_changed(data: bytes, draws: Draws) -> bytes:
    """Change type, count or value of an entry of the first directory of a TIFF, or where the next one lies."""
    content = bytearray(data)
    start = int.from_bytes(data[4:8], "little")
    n_entries = int.from_bytes(data[start : start + 2], "little")
    entry = start + 2 + 12 * draws.below(n_entries + 1)
    if entry == start + 2 + 12 * n_entries:
        content[entry : entry + 4] = struct.pack("<I", (start, 8, 0xFFFFFFFF, len(data))[draws.below(4)])
    elif draws.below(4) == 0:
        content[entry + 2 : entry + 4] = struct.pack("<H", draws.below(20))
    else:
        field = entry + (4, 8)[draws.below(2)]
        content[field : field + 4] = struct.pack("<I", _NUMBERS[draws.below(len(_NUMBERS))])
    return bytes(content)


_WAYS: tuple[Callable[[bytes, Draws], bytes], ...] = (
    _bits_flipped, _cut, _number_overwritten, _blocks_swapped, _block_doubled, _bytes_replaced,
)  # fmt: skip
_OWN_WAYS: tuple[tuple[str | tuple[str, ...], Callable[[bytes, Draws], bytes]], ...] = (
    (".png", _chunk_changed), (".png", _chunk_moved), (".png", _png_huge),
    ((".jpg", ".mpo"), _jpeg_huge), (".tif", _tiff_entry_changed), (".tif", _tiff_entry_changed),
)  # fmt: skip
