# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Files of rows and labels, good and bad."""

import json

import pandas as pd
import pytest

from skal.cli._errors import UsageError
from skal.cli._labels import as_written, common_type
from skal.cli._tables import read_table, to_bytes

ROWS = {
    "text": ["one, two", 'a "word"', "two\nlines", "É 漢字"],
    "label": ["x", "y"] * 2,
}


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.parquet"])
def test_every_format_gives_the_same(tmp_path, name):
    path, frame = tmp_path / name, pd.DataFrame(ROWS)
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("sv"):
        frame.to_csv(path, index=False, sep="," if name == "t.csv" else "\t")
    else:
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    table = read_table(path)
    assert table.columns == ROWS
    assert table.texts("text") == ROWS["text"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_what_is_written_is_read(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    path.write_bytes(to_bytes(ROWS, ending))
    assert read_table(path).columns == ROWS


def test_gaps(tmp_path):
    gaps = {"id": [1, 2], "label": [None, "x"]}
    (tmp_path / "t.jsonl").write_bytes(to_bytes(gaps, ".jsonl"))
    (tmp_path / "t.csv").write_bytes(to_bytes(gaps, ".csv"))
    assert read_table(tmp_path / "t.jsonl").columns == gaps
    for name in ("t.jsonl", "t.csv"):
        assert as_written(read_table(tmp_path / name), "label") == [None, "x"]


def test_a_byte_order_mark_a_blank_line_and_a_long_text(tmp_path):
    path, text = tmp_path / "t.csv", "word " * 50_000
    path.write_text(f"\ufefftext\n\n{text}\n", encoding="utf-8")
    assert read_table(path).columns == {"text": [text]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "holds no rows"),
        ("t.csv", b"text,label\n", "holds no rows"),
        ("t.jsonl", b"\n\n", "holds no rows"),
        ("t.csv", b"text\nfine\ncaf\xe9\n", "line 3: .* UTF-8, and byte 0xe9 .* iconv"),
        ("t.jsonl", '{"text": "é"}'.encode("utf-16"), "line 1: .* UTF-8"),
        (
            "t.csv",
            b"text,label\na,b\nc,d,e\n",
            "line 3: .* Got 3 fields, and 2 columns",
        ),
        ("t.csv", b'text,label\n"a,b\n', "this is no CSV"),
        ("t.csv", b"text,text\na,b\n", "more than one column 'text'"),
        ("t.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: this is no JSON"),
        ("t.jsonl", b'["a"]\n', "line 1: a line must be an object"),
        ("t.jsonl", b'{"text": "a"}\n{"text": 5}\n', "line 2: .* hold texts. Got 5"),
        (
            "t.jsonl",
            b'{"text": "a"}\n{"txt": "b"}\n',
            "line 2: .* hold texts. Got None",
        ),
        ("t.parquet", b"PAR", "Parquet"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((ValueError, OSError), match=message) as caught:
        read_table(path).texts("text")
    assert not isinstance(caught.value, UsageError)
    assert str(path) in str(caught.value)


def test_what_was_typed_wrongly(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    with pytest.raises(
        UsageError, match=r"no column 'txt' \(--text\)\. It has 'text', "
    ):
        read_table(tmp_path / "t.csv").texts("txt")
    with pytest.raises(UsageError, match="There is no file"):
        read_table(tmp_path / "u.csv")
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(UsageError, match=r"end in \.csv, .* Got .*t\.xlsx"):
        read_table(tmp_path / "t.xlsx")


def labels(tmp_path, values):
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps({"label": value}) + "\n" for value in values))
    return as_written(read_table(path), "label")


def test_labels_as_they_were_written(tmp_path):
    assert labels(tmp_path, [" x ", "", None, "y"]) == ["x", None, None, "y"]
    assert labels(tmp_path, [0, 1, None]) == ["0", "1", None]
    assert labels(tmp_path, [True, False]) == ["1", "0"]
    assert labels(tmp_path, [1.0, float("nan"), 0.0]) == ["1", None, "0"]
    assert labels(tmp_path, ["1.0", "", "-2.0"]) == ["1", None, "-2"]
    assert labels(tmp_path, ["1.0", "x", "007"]) == ["1.0", "x", "007"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["x", 1], "labels of one type. Got 'x' in line 1 and 1 in line 2"),
        ([1, None, "x"], "labels of one type. Got 1 in line 1 and 'x' in line 3"),
        ([1.5], "line 1: a label is a text or a whole number. Got 1.5"),
        ([["x"]], "line 1: a label is a text or a whole number"),
    ],
)
def test_labels_of_mixed_types(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        labels(tmp_path, values)


def test_labels_are_int_if_all_are_whole():
    convert = common_type(["0", None, "-12"])
    assert [convert("0"), convert(None), convert("-12")] == [0, None, -12]
    assert common_type(["0", "x"])("0") == "0"
    assert common_type(["007"])("007") == "007"
