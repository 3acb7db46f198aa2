"""The command on a page makes the same OUTPUT again, to its last line."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from rebalance.dataset import to_text
from rebalance.page.again import command_again
from rebalance.page.tally import tallied
from rebalance.storage.manifest import read_manifest
from tests.conftest import Run, manifest_head, write_image

OWN = """[augment]
rotation_range = 5
horizontal_flip = true
zoom_range = [0.8, 1.3]
[augment.class.cat]
horizontal_flip = false
brightness_range = 0.3
[augment.class."it's"]
rotation_range = 0
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with awkward names, the same as splits and as a list, and tables of groups and labels."""
    root = tmp_path_factory.mktemp("again")
    paths = []
    for class_name, count in (("an owl", 2), ("cat", 9), ("dog", 4), ("it's", 1)):
        for number in range(count):
            paths.append(f"{class_name}/{class_name[0]}{number // 2}_{number}.jpg")
            write_image(root / "src" / paths[-1], len(paths), quality=85)
    shutil.copytree(root / "src", root / "splits" / "train")
    shutil.copytree(root / "src", root / "splits" / "val")
    tables = {
        "list.csv": ["file,label", *(f"{path},{path.split('/')[0]}" for path in paths)],
        "groups.csv": ["path,group", *(f"{path},{path[:6]}" for path in paths)],
        "labels.csv": ["image,a,b", *(f"{path},{n % 2},{int(n % 3 == 0)}" for n, path in enumerate(paths))],
        "tags.csv": ["path,tags", *(f"{path},{('x', 'x;y', '', 'y')[n % 4]}" for n, path in enumerate(paths))],
    }
    for name, lines in tables.items():
        (root / name).write_text("\n".join(lines) + "\n")
    (root / "own.toml").write_text(OWN)
    (root / "odd.toml").write_text(
        '[augment]\nrotation_range = 3\n[augment.class."del\\u007f\\u0085😀"]\nshear_range = 9\n'
    )
    for class_name in ("MY CAT", "A>B", "bad\udcff", "del\x7f\x85😀"):
        for number in range(3):
            write_image(root / "loud" / "TRAIN IN" / class_name / f"{number}X.png", number)
    return root


@pytest.mark.parametrize(
    "given",
    [
        "augment src",
        "augment src -s sqrt --config photo",
        "augment src -s 0.5 --config own.toml --seed 7",
        "augment src -s cat=20 -s 'an owl=3'",
        "augment src -s 300 --max-copies 500",
        "augment src --cap 3 --cap-method window --window 2 --order name",
        "augment src --cap 3 --cap-method diverse --similarity 0.9 --embedder pixels",
        "augment src --size 32x24 --output-format png --orientation upright --interpolation bilinear",
        "augment src --originals transform --identity-share 0.25 --quality 80 -s 0.4",
        "augment src --engine pillow --originals reencode --bad-images skip --check full",
        "augment src --write list",
        "augment splits --split train",
        "augment src --holdout 0.5 --exclude it*",
        "augment src --group-by ^(.)",
        "augment src --group-by groups.csv",
        "augment list.csv --images src --column path=file --write list -s 12",
        "augment loud -s 'MY CAT=6' -s 'A>B=4' --split 'TRAIN IN' --group-by '^(.*/)[0-9]?X'",
        "augment loud -s $'bad\udcff=5' --split 'TRAIN IN'",
        "augment src --rotation-range 3.14159265358979 --zoom-range 0.123456789012345",
        "augment src --cap 3 --cap-method diverse --embedder pixels --similarity 0.98765432101",
        "augment loud --split 'TRAIN IN' --config odd.toml",
        "augment src --crop-range 0.5 0.9 --gaussian-noise 3,5 --random-erasing 0.1 0.2 --erasing-fill constant",
        "augment src --channel-shift-range 20 --vertical-flip --fill-mode constant --crop-box 0.1,0.1,0.9,0.9",
        "augment src --gaussian-blur 1 --rotation-range 10 --fill-mode median",
        "undersample src -s 2",
        "undersample src -s 0.5 --method tomek,random",
        "undersample src --method window --window 1 -s 3",
        "undersample src --method tomek -s all",
        "undersample src --write list -s 2",
        "smote src -s 12 --method borderline-1 --m-neighbors 4 --k-neighbors 2",
        "smote src --render blend --singletons copy",
        "smote src --write vectors",
        "smote src --write both --candidates 3 --clean tomek",
        "smote src --config own.toml",
        "augment src --labels labels.csv --column path=image -s 1.0",
        "augment src --labels labels.csv --column path=image --method repeat-factor --oversample-thr 0.4",
        "augment src --labels tags.csv --column label=tags --label-delimiter ; -s 9",
        "augment src --labels folders -s 1.0",
        "augment src --labels labels.csv --column path=image --label-columns b -s 6",
        "undersample src --labels labels.csv --column path=image -s 3",
    ],
)
def test_the_command_of_a_manifest_makes_it_again(
    run: Run, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(here)
    arguments = given.replace(" ; ", " ';' ").replace("^(.)", "'^(.)'")
    words = [word.removeprefix("$") if "\udcff" in word else word for word in shlex.split(arguments)]
    assert run(*words, "-o", tmp_path / "first", "-q").code == 0
    told = _told(tmp_path / "first")
    settings, _, command = told.rpartition("END\n")
    if settings:
        (here / "settings.toml").write_text(settings.split("\n", 1)[1])
    stands_for = {
        "SOURCE": words[1], "LIST.csv": words[1], "GROUPS.csv": "groups.csv", "OUTPUT": str(tmp_path / "again"),
        "LABELS.csv": "tags.csv" if "tags.csv" in given else "labels.csv", "ROOT": "src",
    }  # fmt: skip
    printed = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True).stdout
    again = [stands_for.get(word, word) for word in map(to_text, printed.split(b"\0")[1:-1])]
    beside = words[words.index("--exclude") :][:2] if "--exclude" in words else []
    ran = run(*again, *beside, "-q")
    assert ran.code == 0, ran.err
    assert manifest_head(tmp_path / "again") == manifest_head(tmp_path / "first")


def _told(output: Path) -> str:
    manifest = read_manifest(bytes(output))
    most = max(tally.most_copies for tally in tallied(manifest.rows(), {}, {}))
    return command_again(manifest.head["request"], most)
