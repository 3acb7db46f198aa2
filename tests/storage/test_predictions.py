"""Tables of predictions, and every way in which they come wrong."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from rebalance.errors import SourceTreeError
from rebalance.scoring.predictions import Predictions
from rebalance.storage.predictions import read_predictions, render_predictions

PLAIN = "path,y_true,y_pred\n1.jpg,cat,cat\n2.jpg,dog,cat\n"
LIKELY = "path,y_true,cat,dog\n1.jpg,cat,0.75,0.25\n2.jpg,dog,0.5,0.5\n"


def read(path: Path, content: str | bytes, columns: Mapping[str, str] | None = None) -> tuple[Predictions, list[str]]:
    path = path / "p.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    remarks: list[str] = []
    return read_predictions(str(path), columns or {}, remarks.append), remarks


def test_decisions_alone(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, PLAIN)
    assert found.names == ("cat", "dog")
    assert found.paths == ("1.jpg", "2.jpg")
    assert (found.truth.tolist(), found.called.tolist()) == ([0, 1], [0, 0])
    assert found.probabilities is None
    assert found.groups is None
    assert remarks == []


def test_probabilities_call_the_likeliest_the_first_of_several(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, LIKELY)
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert found.called.tolist() == [0, 0]
    assert remarks == []


def test_a_column_y_pred_has_the_last_word(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "path,y_true,y_pred,cat,dog\n1.jpg,cat,dog,0.75,0.25\n2.jpg,dog,dog,0.5,0.5\n")
    assert found.called.tolist() == [1, 1]
    assert found.probabilities is not None


def test_a_class_of_small_probabilities_is_read_where_it_brings_rows_closer_to_1(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, "path,y_true,cat,dog,owl,fold\n1,cat,0.748,0.25,0.002,0\n2,dog,0.499,0.5,0.001,1\n")
    assert found.names == ("cat", "dog")
    assert len(remarks) == 1  # with the folds, rows do not add up to 1
    found, remarks = read(tmp_path, "path,y_true,cat,dog,owl\n1,cat,0.748,0.25,0.002\n2,dog,0.499,0.5,0.001\n")
    assert found.names == ("cat", "dog", "owl")
    assert remarks == []
    found, remarks = read(tmp_path, LIKELY.replace("dog\n", "dog,time\n").replace("5\n", "5,0.004\n"))
    assert found.names == ("cat", "dog")
    assert "column 'time' not read" in remarks[0]


def test_a_probability_of_32_bits_may_pass_1_by_rounding(tmp_path: Path) -> None:
    found, _ = read(tmp_path, LIKELY.replace("0.5,0.5", "0.0,1.0000001"))
    assert found.probabilities is not None
    assert found.probabilities[1].tolist() == [0, 1]


@pytest.mark.threat(82)
@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + LIKELY.encode(),
        LIKELY.replace("\n", "\r\n").encode(),
        LIKELY.replace("\n", "\r").encode(),
        LIKELY.replace(",", "\t").encode(),
        LIKELY.replace(",", ";").encode(),
        LIKELY.replace(",", ";").replace("0.", "0,").encode(),
        LIKELY.replace("1.jpg", '"1.jpg"').encode(),
        LIKELY.replace("\n1", "\n\n1").encode(),
        LIKELY.replace("0.75", " 7.5e-1").encode(),
        LIKELY.replace(",", ";").replace("0.75", "7,5E-01").replace("0.", "0,").encode(),
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "tabs",
        "semicolons",
        "decimal commas",
        "quotes",
        "an empty line",
        "exponents",
        "decimal commas and exponents",
    ],
)
def test_the_usual_forms_are_read(tmp_path: Path, content: bytes) -> None:
    found, remarks = read(tmp_path, content)
    assert found.paths == ("1.jpg", "2.jpg")
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert remarks == []


@pytest.mark.threat(82)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LIKELY.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (LIKELY.replace("cat", "c\xe4t").encode("latin-1"), "is not UTF-8"),
        (b"", "names no columns"),
        (b"path,y_true,y_pred\n", "has no rows: nothing to score"),
        (LIKELY.replace("2.jpg", "1.jpg").encode(), "'1.jpg' stands in lines 2 and 3: an image has one row"),
        (LIKELY.replace("y_true", "path").encode(), "two of its columns are called 'path'"),
        (LIKELY.replace("y_true", "truth").encode(), "has no column 'y_true'"),
        (LIKELY.replace("0.25", "0.25,0").encode(), "line 2 has 5 fields where the first line has 4"),
        (LIKELY.replace(",cat,0", ",,0").encode(), "line 2: its y_true is empty"),
        (PLAIN.replace("dog,cat", "dog,").encode(), "line 3: its y_pred is empty"),
        (LIKELY.replace("0.25", "").encode(), "line 2: '' in column 'dog' is no probability"),
        (LIKELY.replace("0.25", "nan").encode(), "line 2: 'nan' in column 'dog' is no probability"),
        (LIKELY.replace("0.25", "inf").encode(), "line 2: 'inf' in column 'dog' is no probability"),
        (LIKELY.replace("0.25", "-0.25").encode(), "line 2: '-0.25' in column 'dog' is no probability"),
        (LIKELY.replace("0.25", "1.25").encode(), "line 2: '1.25' in column 'dog' is no probability"),
        (LIKELY.replace("0.25", "0.9").encode(), "line 2: the probabilities of its 2 classes add up to 1.65"),
        (LIKELY.replace("dog\n", "cow\n").encode(), "has probabilities of 'cat' and no column for class 'dog'"),
        (b"path,y_true\n1.jpg,cat\n", "has no column 'y_pred', and none for the probability of 'cat'"),
        (LIKELY.replace("1.jpg", "1\0.jpg").encode(), "line 2: holds a NUL"),
        (b'path,y_true,y_pred\n"1.jpg,cat,cat\n', "is no CSV"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceTreeError) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["N/A", "nan", "None", "null", "0", "-", "=1+1", "a,b", 'say "x"', "\n", "ü", "c=d"])
def test_a_class_may_be_called_anything(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    found, remarks = read(tmp_path, LIKELY.replace("dog", quoted))
    assert found.names == tuple(sorted(("cat", name)))
    assert found.probabilities is not None
    assert remarks == []
    again, _ = read(tmp_path, render_predictions(found))
    assert again.names == found.names
    assert again.truth.tolist() == found.truth.tolist()


def test_columns_are_mapped(tmp_path: Path) -> None:
    content = "file;label;p(cat);p=dog;patient\n1.jpg;cat;0,75;0,25;7\n2.jpg;dog;0,5;0,5;7\n"
    columns = {"path": "file", "y_true": "label", "cat": "p(cat)", "dog": "p=dog", "group": "patient"}
    found, remarks = read(tmp_path, content, columns)
    assert found.names == ("cat", "dog")
    assert found.groups is not None
    assert found.groups.tolist() == [0, 0]
    assert remarks == []
    with pytest.raises(SourceTreeError, match=r"has no column 'p\(dog\)', which --columns dog=p\(dog\) names"):
        read(tmp_path, content, {**columns, "dog": "p(dog)"})


def test_columns_that_mean_nothing_are_named(tmp_path: Path) -> None:
    found, remarks = read(
        tmp_path,
        LIKELY.replace("y_true,", "y_true,width,group,")
        .replace(",cat,0", ",cat,0.5,g,0")
        .replace(",dog,0", ",dog,0.2,g,0"),
    )
    assert found.names == ("cat", "dog")
    assert remarks == [f"note: {tmp_path}/p.csv: columns 'width', 'group' not read: no role, and no class of this name"]
    _, remarks = read(tmp_path, PLAIN.replace("y_pred", "y_pred,score").replace("cat\n", "cat,0.5\n"))
    assert len(remarks) == 1


def test_a_class_that_is_never_true_has_the_probability_that_the_others_lack(tmp_path: Path) -> None:
    found, remarks = read(
        tmp_path, "path,y_true,cat,dog,owl,width\n1.jpg,cat,0.5,0.25,0.25,640\n2.jpg,dog,0.25,0.5,0.25,640\n"
    )
    assert found.names == ("cat", "dog", "owl")
    assert found.called.tolist() == [0, 1]
    assert [remark.partition("columns")[0].partition("column ")[2] for remark in remarks] == [
        "'width' not read: no role, and no class of this name"
    ]


def test_rounded_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    found, _ = read(tmp_path, LIKELY.replace("0.25", "0.255"))
    assert found.probabilities is not None
    assert found.probabilities[0].tolist() == [0.75, 0.255]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    given, _ = read(tmp_path, LIKELY.replace("0.75,0.25", "0.30000000000000004,0.7"))
    again, remarks = read(tmp_path, render_predictions(given))
    assert again.probabilities is not None
    assert given.probabilities is not None
    assert np.array_equal(again.probabilities, given.probabilities)
    assert again.called.tolist() == given.called.tolist()
    assert remarks == []
