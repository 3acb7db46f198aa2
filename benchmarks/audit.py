"""What `rebalance audit` finds in trees of which one knows what was done to them, and how often it finds what is not.

    python benchmarks/audit.py [SEEDS]

With REBALANCE_DATA leading to the photographs: `clothing` balanced as people do it (bilinear, quality 90), with the
defaults, and with `--originals transform`; then with something planted in the smallest class of the default tree; then
`--originals transform` with SEEDS seeds (20), of which one is expected to be found guilty at the 5 % level: of what the
audit calls a leak, or of copies that are told from each other although no class has more of them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from rebalance.images.encoding import ORIENTATION_TAG

SOURCE = Path(os.environ["REBALANCE_DATA"]) / "clothing"
VARIANTS = {
    "bilinear, quality 90": ("--interpolation", "bilinear", "--quality", "90"),
    "defaults": (),
    "transform": ("--originals", "transform"),
}
PLANTED_IN = "Blouse"


def rebalance(*arguments: object) -> str:
    """Run the program and return what it prints."""
    command = [sys.executable, "-m", "rebalance", *map(str, arguments), "-q"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def audit(tree: Path, *arguments: object) -> dict[str, Any]:
    """Return the report on a tree."""
    return dict(json.loads(rebalance("audit", tree, "--source", SOURCE, "--format", "json", *arguments)))


def told(report: dict[str, Any]) -> str:
    """Return the tell at both sizes and the verdict."""
    tells = (f"{size} {row['auc']['value']:.3f} ({row['auc']['low']:.3f} to {row['auc']['high']:.3f})"
             for size, row in report["tell"].items())  # fmt: skip
    return f"tell {', '.join(tells)}\n    {report['verdict']}"


def low_quality(path: Path) -> None:
    """Save a file again at quality 30."""
    Image.open(path).convert("RGB").save(path, quality=30)


def smaller(path: Path) -> None:
    """Make a file a tenth smaller, its tables kept."""
    image = Image.open(path)
    size = (image.width * 9 // 10, image.height * 9 // 10)
    image.resize(size, Image.Resampling.BICUBIC).save(path, qtables=image.quantization, subsampling=2)  # type: ignore[attr-defined]


def turned(path: Path) -> None:
    """Give a file an EXIF orientation."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    Image.open(path).save(path, quality="keep", exif=exif)


PLANTED: dict[str, Callable[[Path], None]] = {
    "saved at quality 30": low_quality, "10 % smaller": smaller, "EXIF turned": turned,
}  # fmt: skip


def main() -> None:
    """Print all of it."""
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, arguments in VARIANTS.items():
            rebalance("augment", SOURCE, "-o", folder / name, *arguments)
            began = time.perf_counter()
            print(f"{name}: {told(audit(folder / name))}\n    {time.perf_counter() - began:.0f} s", flush=True)
        for name, plant in PLANTED.items():
            tree = folder / f"{PLANTED_IN} {name}"
            shutil.copytree(folder / "defaults", tree)
            for path in (tree / PLANTED_IN).iterdir():
                plant(path)
            report = audit(tree)
            rise = report["header"]["rise"]
            found = "found" if "header" in report["found"] else "not found"
            print(f"{tree.name}: {found}, by {report['header']['field']}: {rise['value']:.3f} "
                  f"({rise['low']:.3f} to {rise['high']:.3f})", flush=True)  # fmt: skip
            shutil.rmtree(tree)
        guilty = []
        for seed in range(n_seeds):
            tree = folder / f"seed {seed}"
            rebalance("augment", SOURCE, "-o", tree, "--originals", "transform", "--seed", seed)
            report = audit(tree, "--seed", seed)
            tells = {size: row["auc"] for size, row in report["tell"].items()}
            found = [
                *report["found"],
                *(f"tell, {size}" for size, row in tells.items() if row["p"] * len(tells) <= 0.05),
            ]
            guilty += [seed] * bool(found)
            aucs = ", ".join(f"{size} {row['value']:.3f}" for size, row in tells.items())
            print(f"transform, seed {seed}: {aucs}: {', '.join(found) or 'nothing found'}", flush=True)
            shutil.rmtree(tree)
        print(f"transform: nothing found in {n_seeds - len(guilty)} of {n_seeds} seeds")


if __name__ == "__main__":
    main()
