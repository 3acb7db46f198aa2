from pathlib import Path

import pytest

from rebalance.embedders import find_model, open_embedder
from rebalance.errors import StorageError
from tests.images.test_model import convolving


def test_a_model_that_changes_after_it_was_asked_for_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(convolving())
    asked = find_model(str(path), [])
    path.write_bytes(convolving() + b"\x12\x02v2")  # the name of its producer
    with pytest.raises(StorageError, match="was changed while it was used: run again"):
        open_embedder(asked)


def test_a_model_is_opened_once(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(convolving())
    asked = find_model(str(path), ["size=32"])
    assert open_embedder(asked) is open_embedder(asked)
