"""The same command under dozens of combinations of all that must not matter: the same bytes, tree for tree."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.conftest import contents
from tests.faults.conftest import Tally
from tests.faults.disks import Disks
from tests.faults.machine import need

pytestmark = pytest.mark.threat(72)

_JOBS = {
    "opencv": "augment --engine opencv",
    "pillow": "augment --engine pillow",
    "photo": "augment --config photo",
    "nearmiss": "undersample --method nearmiss-1",
    "spread": "undersample --method spread",
    "smote": "smote",
    "embed": "embed",
}
_N_EACH = 6
_HAS_OPENCV = find_spec("cv2") is not None
_FOUND = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
"""What NumPy uses of this processor beyond what every one has."""
_CORES = [*(["Prescott"] if _FOUND else []), *(["Haswell"] if "X86_V3" in _FOUND else [])]
_FACTORS: tuple[tuple[Mapping[str, str], ...], ...] = (
    ({"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}, {"LANG": "", "PYTHONCOERCECLOCALE": "0"}),
    ({"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "4242"}, {}),
    ({"TZ": "Pacific/Kiritimati"}, {"TZ": "America/St_Johns"}),
    ({}, *({"NPY_DISABLE_CPU_FEATURES": " ".join(_FOUND[start:])} for start in range(min(2, len(_FOUND))))),
    ({}, *({"OPENBLAS_CORETYPE": core} for core in [*_CORES, *(["SkylakeX"] if "X86_V4" in _FOUND else [])])),
    ({"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "4"}),
    ({"JSIMD_FORCENONE": "1"}, {}),
    ({"OPENCV_CPU_DISABLE": "AVX512-SKX"}, {}),
)
"""Of the environment."""
_PLAIN = "from rebalance.cli.main import main; main()"
_THREADED = f"import threading; threading.Thread(target=threading.Event().wait, daemon=True).start(); {_PLAIN}"
"""A process that has threads does not fork its workers: it spawns them."""


class Places(NamedTuple):
    """Where a run begins, and how it reaches the same pictures."""

    room: Path
    sources: tuple[Path, ...]

    def run(self, job: str, number: int, environment: Mapping[str, str]) -> object:
        """Run a job and return what it made; the number says where, with how many workers and how these begin."""
        command, *options = _JOBS[job].split()
        output = (self.room, self.room / "made")[number % 2] / f"{job}-{number}.npz"
        output.parent.mkdir(exist_ok=True)
        source, cwd = self.sources[number % 3], (self.room, Path("/"), output.parent)[number % 3]
        code = (_PLAIN, _PLAIN, _THREADED)[number % 3]
        arguments = [command, os.path.relpath(source, cwd), "-o", str(output), "-j", str((2, 1, 7)[number % 3])]
        own = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONHASH"))}
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments, *options],
            env={**own, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
            cwd=cwd,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return contents(output) if output.is_dir() else output.read_bytes()


@pytest.fixture
def places(room: Path, clothing: Path, disks: Disks) -> Places:
    """Photographs, made small, under three paths; one of them shuffles its folders."""
    for class_name, count in (("Blouse", 4), ("Hat", 12), ("Top", 7)):
        for path in sorted((clothing / class_name).iterdir())[:count]:
            small = room / "source" / class_name / path.name
            small.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as picture:
                picture.thumbnail((96, 96))
                picture.save(small, quality=88)
    (room / "other").symlink_to("source")
    return Places(room, (room / "source", disks.attach("shuffled", str(room / "source")), room / "other"))


@pytest.mark.parametrize("job", _JOBS)
def test_nothing_but_the_request_decides_what_is_written(job: str, places: Places, tally: Tally) -> None:
    need(job != "opencv" or _HAS_OPENCV, "OpenCV")
    expected = places.run(job, 0, {})
    for number in range(1, _N_EACH + 1):
        row = number * len(_JOBS) + list(_JOBS).index(job)
        chosen = [levels[(row + row // (place + 2)) % len(levels)] for place, levels in enumerate(_FACTORS)]
        environment = {name: value for level in chosen for name, value in level.items()}
        assert places.run(job, number, environment) == expected, (number, environment)
        tally("combinations")
