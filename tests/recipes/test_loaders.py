"""The loaders of docs/recipes.md read OUTPUT as its manifest has it: themselves, where they are, and by their rules."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Run, manifest_head, manifest_rows
from tests.recipes.conftest import Succeed, tool
from tests.recipes.pages import file_of, write_files

LOADERS = {
    "torchvision": "torchvision_loader.py",
    "keras": "keras_loader.py",
    "datasets": "datasets_loader.py",
}
SUFFIXES = {
    "torchvision": (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"),
    "keras": (".bmp", ".gif", ".jpeg", ".jpg", ".png"),
}
"""What they take for a picture: IMG_EXTENSIONS of ImageFolder, ALLOWLIST_FORMATS of Keras."""


@pytest.fixture
def balanced(folder: Path, run: Run) -> Path:
    """The tree, with a class of a name that a loader could take for a split."""
    (folder / "data" / "train" / "dog").rename(folder / "data" / "train" / "test")
    output = folder / "data" / "balanced"
    assert run("augment", folder / "data" / "train", "-o", output).code == 0
    return output


def image_folder(root: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """List pictures as ImageFolder documents it: sorted folders are classes, what is below them is walked sorted."""
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    class_to_idx = {name: index for index, name in enumerate(names)}
    pictures = [
        (os.path.join(where, file), index)
        for name, index in class_to_idx.items()
        for where, _, files in sorted(os.walk(root / name, followlinks=True))
        for file in sorted(files)
        if file.lower().endswith(suffixes)
    ]
    return class_to_idx, pictures


@pytest.mark.parametrize("loader", SUFFIXES)
def test_by_the_rules_of_a_loader_the_tree_is_what_the_manifest_says(balanced: Path, loader: str) -> None:
    class_to_idx, pictures = image_folder(balanced, SUFFIXES[loader])
    assert class_to_idx == manifest_head(balanced)["class_indices"] == {"cat": 0, "owl": 1, "test": 2}
    assert [os.path.relpath(path, balanced) for path, _ in pictures] == sorted(
        row["path"] for row in manifest_rows(balanced)
    )
    assert [index for _, index in pictures] == [0] * 24 + [1] * 24 + [2] * 24
    for path, _ in pictures:
        with Image.open(path) as picture:
            assert picture.convert("RGB").size == (24, 20)


@pytest.mark.parametrize("loader", LOADERS)
def test_the_loader_reads_the_tree(balanced: Path, folder: Path, succeed: Succeed, loader: str) -> None:
    program = tool(loader, "python")
    write_files("recipes", folder, LOADERS[loader])
    said = succeed(f"{program} {LOADERS[loader]}", PYTHONPATH="", TF_CPP_MIN_LOG_LEVEL="3", HF_HUB_OFFLINE="1")
    assert "72 cat owl test" in said.splitlines()
    assert manifest_head(balanced)["class_indices"] == {"cat": 0, "owl": 1, "test": 2}


@pytest.mark.parametrize("loader", LOADERS)
def test_the_loader_is_python(loader: str) -> None:
    compile(file_of("recipes", LOADERS[loader]), LOADERS[loader], "exec")


def test_hugging_face_takes_a_class_for_a_split_where_it_may(balanced: Path, succeed: Succeed) -> None:
    program = tool("datasets", "python")
    lines = 'from datasets import load_dataset\nprint(load_dataset("imagefolder", data_dir="data/balanced").num_rows)'
    said = succeed(f"{program} -c '{lines}'", PYTHONPATH="", HF_HUB_OFFLINE="1")
    assert "{'test': 24}" in said.splitlines()
    assert len(manifest_rows(balanced)) == 72
