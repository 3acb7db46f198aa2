"""Pages as files: of an OUTPUT, or of what was found in a tree."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rebalance.dataset import Dataset, to_bytes
from rebalance.labels import Labels
from rebalance.page.content import Page
from rebalance.page.html import START, render
from rebalance.page.inspected import page_of_labels, page_of_source
from rebalance.page.pictures import Gallery, at_hand, thinned
from rebalance.page.written import page_of_output
from rebalance.storage.manifest import read_manifest
from rebalance.storage.output import check_side_file
from rebalance.storage.scan import check_folder
from rebalance.storage.single import replace_file


def check_page(path: str, trees: list[str]) -> None:
    """Raise OutputRefusedError where a page would lie in one of these trees or in any of ours, or replace no page."""
    check_side_file(path, trees, START, "page of rebalance")


def write_output_page(path: str, output: str, source: str | None = None) -> Gallery:
    """Write the page of an OUTPUT; of SOURCE, where it is at hand, are the pictures that are not in OUTPUT.

    Raises ManifestError, StorageError, SourceTreeError where SOURCE is no folder.
    """
    if source is not None:
        check_folder(source)
    manifest = read_manifest(to_bytes(output))
    trees = {"output": output} | ({} if source is None else {"source": source})
    name = os.path.basename(os.path.abspath(output))
    return write_page(path, page_of_output(manifest, output=name), trees)


def write_source_page(path: str, report: Mapping[str, Any], dataset: Dataset, titles: Mapping[str, str]) -> None:
    """Write the page of what `inspect` found; `titles` are those of the keys of a class that are shown."""
    name = os.path.basename(os.path.abspath(dataset.root))
    write_page(path, page_of_source(report, dataset, titles, name), {"source": dataset.root})


def write_labels_page(
    path: str, report: Mapping[str, Any], labels: Labels, dataset: Dataset, titles: Mapping[str, str]
) -> None:
    """Write the page of what `inspect --labels` found; `titles` are those of the keys of a label that are shown."""
    name = os.path.basename(os.path.abspath(dataset.root))
    write_page(path, page_of_labels(report, labels, dataset, titles, name), {"source": dataset.root})


def write_page(path: str, page: Page, trees: Mapping[str, str]) -> Gallery:
    """Write a page, with the pictures of the trees that are there; return what has shown them."""
    albums = thinned(at_hand(page.albums, trees))
    n_pictures = sum(len(strip.pictures) for album in albums for strip in album.strips)
    gallery = Gallery(trees, n_pictures)
    replace_file(path, render(replace(page, albums=tuple(albums)), gallery.show))
    return gallery
