"""What a worker does with one source: read it once, check it, make every file that is wanted of it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from rebalance.backends import begin_item
from rebalance.dataset import ImageFile, to_bytes
from rebalance.embedders import Visible
from rebalance.errors import BadImageError, UnfitImageError, UnreadableError
from rebalance.finished import NOTES, Failed, Finished, Written
from rebalance.images.codec import Header, check_header, check_pixels
from rebalance.images.picture import Picture, load_source
from rebalance.images.pipeline import Draw, Making, format_written, make_copy, remake
from rebalance.images.synthetic import Parent, Shown, blend, decoded, nearest_copy
from rebalance.keys import Conditions, is_encoded, key_of
from rebalance.matrices import Values
from rebalance.plan import Augment, Interpolate, Keep, Made, Recipe
from rebalance.planning.naming import format_of
from rebalance.recipes import draw_attempt, draw_candidate
from rebalance.storage.stage import WorkTree
from rebalance.storage.transfer import SourceBytes, read_file, read_source


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file made before, of which only its bytes remain to be checked."""

    folder: bytes
    finished: Finished
    is_staged: bool


@dataclass(frozen=True, slots=True)
class Task:
    """The files wanted of one source, each with a candidate where there is one."""

    source: ImageFile
    class_name: str
    recipe: Recipe
    conditions: Conditions
    wanted: tuple[tuple[Made, Candidate | None], ...]
    unusable: str | None = None
    """Why nothing can be made of this source, where that is known."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What all tasks of a run have in common."""

    root: bytes
    staged: WorkTree
    visible: Visible | None = None
    """How synthetic samples are made visible, where there are such."""

    def perform_all(self, tasks: Sequence[Task]) -> list[Finished | Failed]:
        """Perform some tasks."""
        return [result for task in tasks for result in self.perform(task)]

    def perform(self, task: Task) -> list[Finished | Failed]:
        """Make the files of one task, or say why its source is of no use. Raises what the machine is to blame for."""
        begin_item()
        sha256 = None
        try:
            source = read_source(self.root, task.source)
            sha256 = source.sha256
            return self._make_all(task, source)
        except BadImageError as error:
            return [Failed(task.source.path, str(error), isinstance(error, UnfitImageError), sha256)]
        except UnreadableError as error:
            return [Failed(task.source.path, str(error), is_unfit=False, sha256=None, is_of_machine=True)]
        except Exception as error:
            error.add_note(repr(task.source.path))
            raise

    def _make_all(self, task: Task, source: SourceBytes) -> list[Finished | Failed]:
        results: list[Finished | Failed] = []
        missing = []
        for operation, candidate in task.wanted:
            finished = candidate and self._confirmed(candidate, operation, source)
            if finished:
                results.append(finished)
                continue
            if candidate and candidate.is_staged:
                self.staged.discard(operation.output)
            missing.append(operation)
        if missing:
            results += self._make_missing(task, missing, source)
        return results

    def _confirmed(self, candidate: Candidate, operation: Made, source: SourceBytes) -> Finished | None:
        """Return the row of a candidate that still holds what it held, taken into the staged tree."""
        written = candidate.finished.written
        try:
            data = read_file(candidate.folder, written.output)
        except OSError:
            return None
        if source.sha256 != written.source_sha256 or hashlib.sha256(data).hexdigest() != written.sha256:
            return None
        neighbor_stamp = None
        if isinstance(operation, Interpolate):
            neighbor = self._neighbor(operation)
            if isinstance(neighbor, Failed) or neighbor.sha256 != written.neighbor_sha256:
                return None
            neighbor_stamp = neighbor.stamp
        if not candidate.is_staged:
            self.staged.put(written.output, data)
        return candidate.finished._replace(stamp=source.stamp, is_reused=True, neighbor_stamp=neighbor_stamp)

    def _make_missing(self, task: Task, operations: Sequence[Made], source: SourceBytes) -> list[Finished | Failed]:
        picture = None
        if any(is_encoded(operation, task.conditions.rendering, task.unusable) for operation in operations):
            picture = self._loaded(source, task)
        header = picture.header if picture else self._header(source, task)
        made: list[Finished | Failed] = []
        for operation in operations:
            if isinstance(operation, Interpolate):
                continue
            begin_item()
            if picture is not None and is_encoded(operation, task.conditions.rendering, task.unusable):
                written = self._encode(operation, task, source, picture)
            else:
                written = self._copy(operation, task, source, header)
            key = key_of(operation, task.conditions, task.unusable, source.sha256, None)
            made.append(Finished(written, key, source.stamp))
        if picture is not None:
            made += self._interpolate_all(operations, task, source, picture)
        return made

    def _interpolate_all(
        self, operations: Sequence[Made], task: Task, source: SourceBytes, picture: Picture
    ) -> Iterator[Finished | Failed]:
        """Make the synthetic samples visible, those with the same neighbor together, or say which are of no use."""
        samples = sorted(
            (made for made in operations if isinstance(made, Interpolate)),
            key=lambda made: to_bytes(made.neighbor.path),
        )
        if not samples:
            return
        making = Making(task.recipe, task.conditions.rendering, format_of(samples[0].output, task.source.path))
        base = Parent("base", picture, making)
        other_making = replace(making, file_format=format_written(picture, making))
        for _, own in groupby(samples, key=lambda made: made.neighbor.path):
            first, *others = own
            read = self._neighbor(first)
            if isinstance(read, Failed):
                yield read
                continue
            try:
                other = Parent("neighbor", self._loaded(read, task), other_making)
            except BadImageError as error:
                yield Failed(first.neighbor.path, str(error), isinstance(error, UnfitImageError), read.sha256)
                continue
            for operation in (first, *others):
                begin_item()
                yield self._interpolate(operation, task, (source, base), (read, other))

    def _neighbor(self, operation: Interpolate) -> SourceBytes | Failed:
        """Return the other image of a sample, read, or why it cannot be."""
        try:
            return read_source(self.root, operation.neighbor)
        except (BadImageError, UnreadableError) as error:
            is_of_machine = isinstance(error, UnreadableError)
            return Failed(operation.neighbor.path, str(error), is_unfit=False, sha256=None, is_of_machine=is_of_machine)

    @staticmethod
    def _loaded(read: SourceBytes, task: Task) -> Picture:
        return load_source(read.data, task.conditions.rendering, task.recipe)

    def _interpolate(
        self, operation: Interpolate, task: Task, base: tuple[SourceBytes, Parent], other: tuple[SourceBytes, Parent]
    ) -> Finished:
        """Make a synthetic sample visible."""
        (source, parent), (neighbor, _) = base, other
        shown = self._shown(operation, task, parent, other[1])
        data = shown.made.data
        if data is None:
            data = neighbor.data if shown.parent == "neighbor" else source.data
        self.staged.put(operation.output, data)
        key = key_of(operation, task.conditions, task.unusable, source.sha256, neighbor.sha256)
        written = replace(
            _copied(operation, task, source, shown.made.header),
            sha256=hashlib.sha256(data).hexdigest(),
            n_bytes=len(data),
            source_bytes=len(source.data),
            neighbor=operation.neighbor.path,
            neighbor_sha256=neighbor.sha256,
            step=operation.step,
            shows=shown.parent,
            candidate=shown.candidate,
            key=key,
            values=shown.made.values if shown.parent else None,
            attempt=shown.made.attempt or None,
            note=NOTES.join(shown.made.notes) or None,
        )
        return Finished(written, key, source.stamp, neighbor_stamp=neighbor.stamp)

    def _shown(self, operation: Interpolate, task: Task, base: Parent, neighbor: Parent) -> Shown:
        visible = self.visible
        if visible is None or visible.render == "blend":
            return Shown(blend(base, neighbor.picture, operation.step), None, None)
        aim = np.frombuffer(operation.aim, "<f4").astype(np.float32)
        if visible.render == "decoder":
            return Shown(decoded(base, visible.decode(aim)), None, None)
        draw = partial(_draw_candidate, task, operation)
        return nearest_copy((base, neighbor), visible.n_candidates, draw, visible.embed, aim)

    @staticmethod
    def _header(source: SourceBytes, task: Task) -> Header | None:
        """Return the header of a source; None where it is carried along although it cannot be read."""
        try:
            check = check_pixels if task.conditions.check == "full" else check_header
            return check(source.data, task.conditions.rendering.max_pixels)
        except BadImageError:
            if task.unusable is None:
                raise
            return None

    def _copy(self, operation: Made, task: Task, source: SourceBytes, header: Header | None) -> Written:
        if isinstance(operation, Keep):
            self.staged.carry(source, operation.output)
        else:
            self.staged.put(operation.output, source.data)
        return _copied(operation, task, source, header)

    def _encode(self, operation: Made, task: Task, source: SourceBytes, picture: Picture) -> Written:
        """Write a file that goes through the encoder: a copy with drawn values, or the picture as it is."""
        is_drawn = isinstance(operation, Augment)
        making = Making(
            recipe=task.recipe if is_drawn else {},
            rendering=task.conditions.rendering,
            file_format=format_of(operation.output, operation.source.path),
        )
        if isinstance(operation, Augment):
            made = make_copy(picture, making, partial(_draw, task, operation))
        else:
            made = remake(picture, making, {}, b"")
        drawn: dict[str, Any] = {"values": made.values, "attempt": made.attempt or None} if is_drawn else {}
        file: dict[str, Any] = {}
        if made.data is not None:
            file = {"sha256": hashlib.sha256(made.data).hexdigest(), "n_bytes": len(made.data)}
            file |= {"source_bytes": len(source.data), "is_reencoded": None if is_drawn else True}
        self.staged.put(operation.output, source.data if made.data is None else made.data)
        note = NOTES.join(made.notes) or None
        return replace(_copied(operation, task, source, made.header), note=note, **drawn, **file)


def _draw_candidate(task: Task, operation: Interpolate, candidate: int) -> Draw:
    sample = operation.source.path, operation.copy_number
    return lambda attempt: draw_candidate(task.recipe, task.conditions.seed, sample, candidate, attempt)


def _draw(task: Task, operation: Augment, attempt: int) -> tuple[Values, bytes]:
    """Return what is drawn for a copy at an attempt."""
    return draw_attempt(task.recipe, task.conditions.seed, operation.source.path, operation.copy_number, attempt)


def _copied(operation: Made, task: Task, source: SourceBytes, header: Header | None) -> Written:
    """Return the line of a file that is its source, byte for byte."""
    return Written(
        output=operation.output,
        class_name=task.class_name,
        kind=operation.kind,
        source=task.source.path,
        source_sha256=source.sha256,
        sha256=source.sha256,
        n_bytes=len(source.data),
        width=header.width if header else None,
        height=header.height if header else None,
        mode=header.mode if header else None,
        format=header.format if header else None,
        copy_number=None if isinstance(operation, Keep) else operation.copy_number,
        is_unusable=True if task.unusable else None,
        note=task.unusable,
    )
