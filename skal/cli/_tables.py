# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Files of rows: CSV, JSON lines and Parquet in, CSV and JSON lines out."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import NamedTuple

from skal.cli._errors import UsageError
from skal.cli._names import meant
from skal.utils._files import write_whole

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson")
READABLE = (*_DELIMITERS, *_JSON, ".parquet")
WRITABLE = (".csv", ".jsonl")


class Table(NamedTuple):
    """The columns of a file, and where its rows stand."""

    path: Path
    columns: dict
    places: list

    def column(self, name, option):
        """The values of a column; `option` is what named it."""
        if name not in self.columns:
            known = list(self.columns)
            raise UsageError(
                f"{self.path} has no column {name!r} ({option}). It has "
                f"{', '.join(map(repr, known))}.{meant(name, known)}",
                name,
            )
        return self.columns[name]

    def texts(self, name, option="--text"):
        """A column of texts; anything else in it is an error."""
        texts = self.column(name, option)
        for text, place in zip(texts, self.places, strict=True):
            if not isinstance(text, str):
                raise ValueError(
                    f"{self.path}, {place}: column {name!r} must hold texts. Got "
                    f"{text!r:.60} ({type(text).__name__}); drop the row or write a "
                    "text."
                )
        return texts


def read_table(path):
    """Read a file of rows whole.

    Parameters
    ----------
    path : path-like
        Its ending says what it is: CSV with a header (values are str), JSON lines with
        one object per line (a key that a line lacks is None there), or Parquet. Texts
        are UTF-8.

    Returns
    -------
    Table
        With at least one row.

    Raises
    ------
    UsageError
        If there is no such file, or its ending is another one.
    ValueError
        If it cannot be read, has two columns of one name, or no rows.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", path.name)
    ending = path.suffix.lower()
    if ending not in READABLE:
        raise UsageError(
            f"Files of rows end in {', '.join(READABLE)}. Got {path}.", path.name
        )
    if ending == ".parquet":
        columns, places = _read_parquet(path)
    elif ending in _JSON:
        columns, places = _read_jsonl(path)
    else:
        columns, places = _read_csv(path, _DELIMITERS[ending])
    if not places:
        raise ValueError(f"{path} holds no rows.")
    return Table(path, columns, places)


def _decoded(path):
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: files are read as UTF-8, and byte "
            f"0x{content[error.start]:02x} is none. Save the file as UTF-8, for "
            f"example with: iconv -f LATIN1 -t UTF-8 {path.name}"
        ) from error


def _read_csv(path, delimiter):
    reader = csv.reader(
        io.StringIO(_decoded(path), newline=""), delimiter=delimiter, strict=True
    )
    rows, places = [], []
    limit = csv.field_size_limit(sys.maxsize)  # of one text, 131,072 by default
    try:
        header = next(reader, [])
        for row in reader:
            if row and len(row) != len(header):
                raise ValueError(
                    f"{path}, line {reader.line_num}: a row must have as many fields "
                    f"as the header. Got {len(row)} fields, and {len(header)} columns; "
                    "put a text that holds the delimiter in double quotes."
                )
            if row:
                rows.append(row)
                places.append(f"line {reader.line_num}")
    except csv.Error as error:
        message = f"{path}, line {reader.line_num}: this is no CSV ({error})."
        raise ValueError(message) from error
    finally:
        csv.field_size_limit(limit)
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path} has more than one column {twice!r}.")
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}, places


def _read_jsonl(path):
    rows, places = [], []
    for number, line in enumerate(_decoded(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            message = f"{path}, line {number}: this is no JSON ({error})."
            raise ValueError(message) from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{path}, line {number}: a line must be an object, such as "
                f'{{"text": "...", "label": "..."}}. Got {line:.60}'
            )
        rows.append(row)
        places.append(f"line {number}")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}, places


def _read_parquet(path):
    from skal.datasets._parquet import import_parquet

    parquet = import_parquet()
    try:
        table = parquet.read_table(path)
    except OSError as error:
        raise OSError(f"{path} cannot be read as Parquet ({error}).") from error
    except ValueError as error:  # pyarrow's ArrowInvalid
        raise ValueError(f"{path} is no Parquet file ({error}).") from error
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return columns, [f"row {i}" for i in range(table.num_rows)]


def to_bytes(columns, ending):
    """The content of a file of rows.

    Parameters
    ----------
    columns : dict of str to list
        Of one length.
    ending : {".csv", ".jsonl"}

    Returns
    -------
    bytes
    """
    rows = list(zip(*columns.values(), strict=True))
    if ending == ".jsonl":
        lines = [dict(zip(columns, row, strict=True)) for row in rows]
        return "".join(
            json.dumps(line, ensure_ascii=False) + "\n" for line in lines
        ).encode()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def write_file(path, content):
    """Write bytes to a file that is there whole or not at all, or say which is not."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{path} cannot be written ({error.strerror}). Make room, mend the "
            "permissions or name another place",
        ) from error
