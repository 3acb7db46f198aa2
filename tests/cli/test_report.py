import pytest

from rebalance.cli.report import print_csv, print_json, print_json_rows


def test_long_reports_are_printed_row_by_row_as_they_are_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for rows in ([], [{"a": 1}], [{"a": [1, "ü"]}, {"b": {}}, {"c": "\udcff"}]):
        print_json_rows({"schema": 1, "x": {"y": []}}, "files", iter(rows))
        streamed = capsys.readouterr().out
        print_json({"schema": 1, "x": {"y": []}, "files": rows})
        assert streamed == capsys.readouterr().out
    print_csv(("n", "m"), ([number, None] for number in range(25_000)))
    assert capsys.readouterr().out == "n,m\n" + "".join(f"{number},\n" for number in range(25_000))
