"""Sealing a staged tree: what is about all its files is written beside them, and last the manifest."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rebalance.dataset import Dataset
from rebalance.errors import StorageError
from rebalance.finished import NOTES
from rebalance.plan import INDEX_NAME, Drop, Plan, Repeat, Row
from rebalance.storage.heads import head_of, label_entries
from rebalance.storage.labels import FILE_NAME as LABELS_NAME
from rebalance.storage.labels import render_made
from rebalance.storage.lines import Line, decoded, row_of, row_without_file
from rebalance.storage.lists import LIST_NAME, render_list
from rebalance.storage.manifest import request_of
from rebalance.storage.names import decode_name
from rebalance.storage.request import rendering_of
from rebalance.storage.rows import ROWS_NAME, render_index, write_rows
from rebalance.storage.stage import Stage

Notes = dict[str, tuple[int, str]]
"""What is noted of files -> how many they are, and the first of them."""


def seal(plan: Plan, dataset: Dataset, staging: Stage, versions: Mapping[str, str]) -> Notes:
    """Make a staged tree durable and write its manifest; return what this notes.

    Raises StorageError where a file is not there as it was written.
    """
    sealing, notes = _Sealing(plan, staging), Notes()
    engine = rendering_of(plan.request).engine
    head = head_of(plan, request_of(plan, dataset), engine=engine, versions=versions)
    head |= sealing.write_list() | sealing.write_vectors() | sealing.write_labels()
    staging.seal(head, _counted(sealing.lines(), notes))
    return notes


def _counted(lines: Iterable[Line], notes: Notes) -> Iterator[Line]:
    """Yield lines, and count what they note of files; of images that nothing can be made of, `unusable` tells."""
    for line in lines:
        for note in line["note"].split(NOTES) if "note" in line and "unusable" not in line else ():
            count, first = notes.get(note, (0, decode_name(line["path"])))
            notes[note] = (count + 1, first)
        yield line


@dataclass(frozen=True, slots=True)
class _Sealing:
    """A plan and the staged tree that holds what it asks for; what is written there is told as a head has it."""

    plan: Plan
    staging: Stage

    def write_list(self) -> dict[str, Any]:
        """Write the list that OUTPUT is, where it is one."""
        if not self.plan.is_list:
            return {}
        return {"list": self.staging.write(LIST_NAME, render_list(self._decoded))}

    def write_vectors(self) -> dict[str, Any]:
        """Write the vectors of files or lines and their index, where OUTPUT has them."""
        rows = self.plan.rows
        if rows is None:
            return {}
        staged = self.staging.for_workers("copy")
        arrays = [
            write_rows(staged, f"{target.directory}/{ROWS_NAME}", target.n_target, rows(target.directory))
            for target in self.plan.all_targets
        ]
        return {"vectors": [*arrays, self.staging.write(INDEX_NAME, render_index(self._decoded))]}

    def write_labels(self) -> dict[str, Any]:
        """Write the labels of the files, where an image has several."""
        labeling = self.plan.labeling
        if labeling is None:
            return {}
        written = self.staging.write(LABELS_NAME, render_made(self._decoded, labeling.labels, labeling.form))
        return {"label_counts": label_entries(labeling.targets), "labels": written}

    def _decoded(self) -> Iterator[Line]:
        return map(decoded, self.lines())

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the manifest. Raises StorageError where a file is not there as it was written."""
        for target in self.plan.all_targets:
            for operation in self.plan.operations(target.directory):
                if isinstance(operation, Drop | Repeat | Row):
                    yield row_without_file(operation, target)
                    continue
                found = self.staging.journal.find(operation.output)
                if found is None or not self.staging.holds(operation.output, found[0].written.n_bytes):
                    raise StorageError(
                        f"{operation.output!r}: is not staged as it was written; run again to make it anew"
                    )
                yield row_of(replace(found[0].written, split=target.split, group=operation.source.group))
