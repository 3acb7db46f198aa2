"""What a source holds beside its pixels, and files that are no pictures: nothing is run, nothing is passed on."""

import ast
import gzip
import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

import rebalance
from rebalance.errors import BadImageError
from rebalance.images.codec import check_header, check_pixels
from rebalance.images.picture import load_image
from tests.conftest import Run, manifest_rows
from tests.faults.machine import need_programs
from tests.images.pictures import (
    ENGINES,
    SRGB,
    deep,
    encoded,
    needs_opencv,
    photo,
    pixels_of,
    reopened,
    turned,
    waves,
    with_chunks,
)

SECRET = b"PLANTED SECRET"
TEXT = SECRET.decode()
_GPS, _ORIENTATION, _MAKER_NOTE = 0x8825, 0x0112, 0x927C


def _exif() -> Image.Exif:
    """Return what a camera writes: where, by whom, with what, and a note of its maker."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    exif[0x010E] = exif[0x013B] = exif[0x8298] = TEXT  # description, artist, copyright
    exif[_GPS] = {1: "N", 2: (52.0, 31.0, 12.0), 29: TEXT}
    exif[0x8769] = {_MAKER_NOTE: SECRET, 0x9286: SECRET}
    return exif


def _jpeg(picture: Image.Image, **settings: Any) -> bytes:
    """Return a JPEG with all that one can hold beside its picture, a thumbnail and what follows its end included."""
    data = encoded(picture, "JPEG", exif=_exif(), xmp=SECRET, comment=SECRET, icc_profile=SRGB, **settings)
    thumbnail = b"JFXX\0\x10" + encoded(photo((16, 12)), "JPEG", comment=SECRET)
    segments = ((b"\xff\xed", b"Photoshop 3.0\0" + SECRET), (b"\xff\xe0", thumbnail))
    before = b"".join(marker + struct.pack(">H", len(part) + 2) + part for marker, part in segments)
    return data[:2] + before + data[2:] + SECRET


def _png(data: bytes) -> bytes:
    """Return a PNG with all that one can hold beside its picture, before it and behind its end."""
    exif = _exif().tobytes().removeprefix(b"Exif\0\0")
    chunks = (
        b"eXIf" + exif, b"tEXtComment\0" + SECRET, b"zTXtComment\0\0" + zlib.compress(SECRET),
        b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + SECRET, b"prVt" + SECRET,
    )  # fmt: skip
    return with_chunks(data, *chunks) + SECRET


def _tiff(picture: Image.Image, **settings: Any) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (270, 305, 315, 33432):  # description, software, artist, copyright
        tags[tag] = TEXT
    for tag in (700, 33723, 34377):  # XMP, IPTC, Photoshop
        tags[tag] = SECRET
        tags.tagtype[tag] = 7
    return encoded(picture, "TIFF", tiffinfo=tags, **settings)


def _pair(picture: Image.Image) -> bytes:
    """Return two pictures in a JPEG, both with a secret."""
    others = [picture.rotate(90)]
    return encoded(picture, "MPO", save_all=True, append_images=others, exif=_exif(), comment=SECRET)


PLANTED: Mapping[str, Callable[[Image.Image], bytes]] = {
    "baseline.jpg": _jpeg,
    "progressive.jpg": lambda picture: _jpeg(picture, progressive=True),
    "pair.jpg": _pair,
    "color.png": lambda picture: _png(encoded(picture, "PNG", icc_profile=SRGB)),
    "palette.png": lambda picture: _png(encoded(picture.quantize(16), "PNG")),
    "lossy.webp": lambda picture: encoded(picture, "WEBP", exif=_exif(), xmp=SECRET),
    "lossless.webp": lambda picture: encoded(picture, "WEBP", lossless=True, exif=_exif(), xmp=SECRET),
    "raw.tif": _tiff,
    "packed.tif": lambda picture: _tiff(picture, compression="tiff_lzw"),
    "map.bmp": lambda picture: encoded(picture, "BMP") + SECRET,
    "pixels.ppm": lambda picture: encoded(picture, "PPM").replace(b"P6", b"P6\n# " + SECRET, 1) + SECRET,
    "still.gif": lambda picture: encoded(picture, "GIF", comment=SECRET),
}


def _picture(number: int) -> Image.Image:
    """Return a picture of its own for each number."""
    return Image.fromarray(pixels_of(waves(n_channels=3, length=1 + number / 3)))


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """One class of every format with a secret in it, and twice as many files of none."""
    root = tmp_path / "source"
    (root / "planted").mkdir(parents=True)
    (root / "plain").mkdir()
    for number, (name, make) in enumerate(PLANTED.items()):
        data = make(_picture(number))
        assert SECRET in data, name
        (root / "planted" / name).write_bytes(data)
    for number in range(2 * len(PLANTED)):
        (root / "plain" / f"{number}.png").write_bytes(encoded(_picture(50 + number), "PNG"))
    return root


_OF_THE_PICTURE = {
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "resolution", "progressive", "progression", "loop",
    "background", "timestamp", "duration", "compression", "exif", "icc_profile",
}  # fmt: skip
"""What Pillow tells of any file that it wrote without being told anything."""


def told_beside_pixels(data: bytes) -> set[str]:
    """Return what a file says beside its picture, EXIF by its tags, as far as Pillow reads it."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        exif = set() if image.format == "TIFF" else set(image.getexif())
        return {str(key) for key in (image.info.keys() - _OF_THE_PICTURE) | (exif - {_ORIENTATION})}


@pytest.mark.threat(43)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("command", "n_made"),
    [
        ("augment", 12),
        ("augment --size 24x24", 48),
        ("augment --output-format jpeg", 48),
        ("augment --output-format png", 48),
        ("augment --output-format webp", 48),
        ("augment --originals reencode", 48),
        ("augment --originals transform", 48),
        ("augment --orientation upright --originals reencode", 48),
        ("augment --fill-mode inscribed", 12),
        ("smote --render blend", 12),
        ("smote --render nearest --candidates 2", 12),
    ],
)
def test_nothing_that_a_source_says_beside_its_pixels_gets_into_what_is_made_of_it(
    run: Run, planted: Path, tmp_path: Path, command: str, n_made: int, engine: str
) -> None:
    output = tmp_path / "balanced"
    ran = run(*command.split(), planted, "-o", output, "--engine", engine)
    assert ran.code == 0, ran.err
    rows = manifest_rows(output)
    made = [row["path"] for row in rows if row["kind"] != "original" or n_made == 48]
    assert len(made) == n_made
    for path in made:
        data = (output / path).read_bytes()
        assert SECRET not in data, path
        assert told_beside_pixels(data) == set(), path
    assert SECRET not in (output / "rebalance.jsonl").read_bytes()


@needs_opencv
@pytest.mark.threat(43)
def test_nothing_beside_pixels_of_16_bits_is_passed_on() -> None:
    pixels = pixels_of(waves(n_channels=3), "uint16")
    for data in (_png(deep(pixels)), deep(pixels, ".ppm").replace(b"P6", b"P6\n# " + SECRET, 1) + SECRET):
        assert SECRET in data
        made = turned(data, engine="opencv")
        assert SECRET not in made
        assert told_beside_pixels(made) == set()


@pytest.mark.threat(44)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("profile", [b"spoiled", SRGB[:200], SRGB[:16] + bytes(4) + SRGB[20:], b"\0" * 100_000])
def test_a_spoiled_profile_stops_nobody_and_stays_what_it_is(profile: bytes, engine: str) -> None:
    for file_format in ("JPEG", "PNG", "WEBP"):
        made = reopened(turned(encoded(photo(), file_format, icc_profile=profile), engine=engine))
        assert made.info["icc_profile"] == profile


@pytest.mark.threat(43, 48)
def test_a_copy_that_is_its_source_byte_for_byte_says_so(run: Run, tmp_path: Path) -> None:
    """Nothing can be drawn for one color that changes it; where that will not do, originals are encoded too."""
    for name in ("dark", "large/1", "large/2"):
        path = tmp_path / "source" / name.replace("dark", "dark/1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".jpg").write_bytes(_jpeg(Image.new("RGB", (16, 12))))
    run("augment", tmp_path / "source", "-o", tmp_path / "kept")
    (row,) = [row for row in manifest_rows(tmp_path / "kept") if row["kind"] == "augmented"]
    assert row["note"] == "the drawn values change nothing: byte for byte its source"
    for name, settings in (("encoded", []), ("copied", ["--config", "copy"])):
        ran = run("augment", tmp_path / "source", "-o", tmp_path / name, "--originals", "reencode", *settings)
        assert ran.code == 0
        made = [path.read_bytes() for path in (tmp_path / name).rglob("*.jpg")]
        assert len(made) == 4
        assert not any(SECRET in data for data in made)


def _svg(path: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{path}"/></svg>'.encode()


FOREIGN: Mapping[str, Callable[[str], bytes]] = {
    "EPS": lambda path: f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({path}) run\nshowpage\n".encode(),
    "EPS with a picture before it": lambda path: b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 32, 60, 0, 0, 0, 0)
    + f"    %!PS-Adobe-3.0 EPSF-3.0\n({path}) run\n".encode(),
    "PDF": lambda path: b"%PDF-1.7\n" + f"1 0 obj <</F ({path})>> endobj".encode(),
    "PSD": lambda _path: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(500),
    "SVG": _svg,
    "SVG, packed": lambda path: gzip.compress(_svg(path)),
    "WMF": lambda _path: b"\xd7\xcd\xc6\x9a" + bytes(80),
    "EMF": lambda _path: b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(80),
    "FLI": lambda _path: struct.pack("<IHHHHHH", 128, 0xAF12, 1, 9, 9, 8, 3) + bytes(120),
    "MSP": lambda _path: encoded(Image.new("1", (8, 8)), "MSP"),
    "ICO": lambda _path: encoded(photo(), "ICO"),
    "PCX": lambda _path: encoded(photo(), "PCX"),
    "TGA": lambda _path: encoded(photo(), "TGA"),
    "DDS": lambda _path: encoded(photo(), "DDS"),
    "JPEG 2000": lambda _path: encoded(photo(), "JPEG2000"),
    "DIB": lambda _path: encoded(photo(), "DIB"),
    "XBM": lambda _path: encoded(Image.new("1", (8, 8)), "XBM"),
    "a link to a page": lambda path: f"[InternetShortcut]\r\nURL=file://{path}\r\n".encode(),
    "a page": lambda path: f'<!DOCTYPE html><img src="file://{path}">'.encode(),
    "a play list": lambda path: f"#EXTM3U\n{path}\n".encode(),
    "a script": lambda path: f"#!/bin/sh\ncat {path}\n".encode(),
    "an ImageMagick script": lambda path: f"push graphic-context\nimage over 0,0 0,0 'msl:{path}'\n".encode(),
}  # fmt: skip


@pytest.mark.threat(37)
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_of_no_format_that_is_read_is_refused_whatever_it_is_called(name: str) -> None:
    data = FOREIGN[name]("/etc/passwd")
    for read in (check_header, check_pixels, load_image):
        with pytest.raises(BadImageError, match=r"^not an image of a known format, or its first bytes are damaged$"):
            read(data)


@pytest.mark.threat(37)
def test_no_file_starts_a_program_or_has_another_one_opened(tmp_path: Path) -> None:
    need_programs("strace")
    target = tmp_path / "target"
    target.write_text("what a file may point to")
    (tmp_path / "source" / "one").mkdir(parents=True)
    for number, make in enumerate(
        [*FOREIGN.values(), *(lambda _path, made=made: made(_picture(0)) for made in PLANTED.values())]
    ):
        (tmp_path / "source" / "one" / f"{number}.jpg").write_bytes(make(str(target)))
    trace = tmp_path / "trace"
    command = [sys.executable, "-m", "rebalance", "inspect", "--check", "--format", "json", str(tmp_path / "source")]
    calls = "trace=execve,execveat,open,openat,openat2,socket,connect"
    ran = subprocess.run(["strace", "-f", "-qq", "-e", calls, "-o", trace, *command], capture_output=True, check=False)
    assert len(json.loads(ran.stdout)["bad_images"]) == len(FOREIGN)
    lines = trace.read_text().splitlines()
    assert sum("/one/0.jpg" in line for line in lines) == 1
    assert sum("execve" in line for line in lines) == 1
    assert not any(str(target) in line or "socket(" in line or "connect(" in line for line in lines)


@pytest.mark.threat(37)
def test_nothing_but_the_codec_opens_an_image_and_by_these_formats_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(file: io.BytesIO, formats: tuple[str, ...]) -> Image.Image:
        asked.append(sorted(formats))
        return open_by_pillow(file, formats=formats)

    open_by_pillow = Image.open
    monkeypatch.setattr(Image, "open", opened)
    load_image(encoded(photo(), "PNG"))
    assert asked == [["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]] * 2
    assert sorted(_readers_of_images()) == ["images/codec.py: Image.open", "images/deep.py: cv2.imdecode"]


def _readers_of_images() -> Iterator[str]:
    """Yield each call in the package that decodes the bytes of an image, with the file it stands in."""
    package = Path(rebalance.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "Image.open", "PIL.Image.open", "cv2.imdecode", "cv2.imread", "cv2.imdecodemulti", "cv2.imreadmulti",
            ):  # fmt: skip
                yield f"{path.relative_to(package)}: {ast.unparse(node.func)}"
