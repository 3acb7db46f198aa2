"""What is made of the images of a class, in the order of OUTPUT or source by source, never all of it in memory."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rebalance.dataset import ClassFolder, ImageFile, to_bytes
from rebalance.plan import Keep, Made
from rebalance.planning.naming import Place, common_start


@dataclass(frozen=True, slots=True)
class MadeOfClass:
    """The images of a class that something is made of, and what."""

    folder: ClassFolder
    images: Sequence[ImageFile]
    made_of: Callable[[int], Iterable[Made]]
    """What is made of the image at an index, in any order."""

    def by_source(self) -> Iterator[Made]:
        """Yield everything by the bytes of the paths of the sources; what is made of one, as it follows in OUTPUT."""
        for index in _in_order(len(self.images), lambda index: to_bytes(self.images[index].path)):
            yield from sorted(self.made_of(index), key=lambda made: to_bytes(made.output))

    def by_output(self) -> Iterator[Made]:
        """Yield everything by the bytes of the paths in OUTPUT.

        All that is made of an image begins with the stem of its name. So when images are gone through by their stems,
        whatever lies before the next stem can go, and few wait: those of `a`, where there is an `a1`.
        """
        waiting: list[tuple[bytes, bool, int, Made]] = []
        for index in _in_order(len(self.images), self._start):
            start = self._start(index)
            while waiting and waiting[0][0] < start:
                yield heapq.heappop(waiting)[-1]
            for made in self.made_of(index):
                heapq.heappush(waiting, (to_bytes(made.output), not isinstance(made, Keep), index, made))
        while waiting:
            yield heapq.heappop(waiting)[-1]

    def _start(self, index: int) -> bytes:
        return to_bytes(common_start(Place.in_folder(self.folder, self.images[index])))


def _in_order(n_images: int, key: Callable[[int], bytes]) -> Sequence[int]:
    """Return the indices by their keys; those that are in order are not sorted, which would take memory."""
    last = b""
    for index in range(n_images):
        before, last = last, key(index)
        if last < before:
            return sorted(range(n_images), key=key)
    return range(n_images)
