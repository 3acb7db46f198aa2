from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rebalance.dataset import Stamp
from rebalance.errors import OutputRefusedError
from rebalance.storage.numbers import NumbersJournal, remove_numbers

_STAMP = Stamp(1, 2, 3, 4)


@pytest.mark.threat(57)
@pytest.mark.parametrize("left", [b"", b'{"reba', bytes(300), b'{"rebalance": "num' + bytes(40)])
def test_what_a_full_disk_or_a_power_cut_leaves_is_begun_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(left)
    with closing(NumbersJournal(bytes(path), "key")) as journal:
        journal.append("a.png", _STAMP, "sum", np.array([1, 2], np.float32))
    with closing(NumbersJournal(bytes(path), "key")) as journal:
        found = journal.find("a.png", _STAMP)
    assert found is not None
    assert (found[0], found[1].tolist()) == ("sum", [1, 2])
    path.write_bytes(left)
    remove_numbers(bytes(path))
    assert not path.exists()


def test_what_is_not_of_our_making_stays(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"my notes")
    remove_numbers(bytes(path))
    with pytest.raises(OutputRefusedError, match="not of our making"):
        NumbersJournal(bytes(path), "key")
    assert path.read_bytes() == b"my notes"
