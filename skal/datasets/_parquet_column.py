# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A column of many Parquet files, read when its rows are asked for."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skal.datasets._parquet import import_parquet
from skal.exceptions import PoolChangedError
from skal.utils import _slices
from skal.utils._rows import is_arrow_text
from skal.utils._validation import not_a_text

_BUFFER = 2**20


class ParquetColumn(_slices.RowsInSlices):
    """A column of Parquet files as one sequence, read when its rows are asked for.

    A pool of texts that need not fit in memory, for every method of skal that takes
    texts, or their ids. Positions count through all files, in their order.

    Parameters
    ----------
    source : path-like or sequence of path-like
        A folder, of which all files that end in ``.parquet`` are read, in the order of
        their names (those that begin with "." or "_" are left out, and so are folders
        inside); one file; or files, in the order given.
    column : str, default="text"
        The column: of texts, or of whole numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or none in the folder.
    ModuleNotFoundError
        If pyarrow is not installed.
    PoolChangedError
        When rows are read, if a file is no longer the one that was opened.
    ValueError
        If a file is no Parquet file or was cut short, lacks the column (what it has is
        named), has values of another type than the first file, or lacks values
        (positions named).

    See Also
    --------
    load_parquet_folder : A benchmark set, read into memory.

    Notes
    -----
    Opening reads the metadata of the files, no row. ``X[rows]`` gives a list for an
    array of positions and reads each row group that holds one of them once, in pieces
    of 16,384 rows, of which one is in memory at a time; ``X[row]`` keeps the piece that
    it read. So ask for rows together: ``X[rows]``, not one by one.

    Rows that lie scattered touch many row groups, and a row group is decoded from its
    beginning to the last row wanted: a thousand rows out of a million cost about as
    much as reading them all. Where that is too slow, see :doc:`/big_pools`.

    A pickle holds the paths, not the rows.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa
    >>> from pyarrow.parquet import write_table
    >>> from skal.datasets import ParquetColumn
    >>> with TemporaryDirectory() as folder:
    ...     write_table(pa.table({"text": ["a", "b"]}), f"{folder}/part-0.parquet")
    ...     write_table(pa.table({"text": ["c", "d"]}), f"{folder}/part-1.parquet")
    ...     X_pool = ParquetColumn(folder, "text")
    ...     len(X_pool), X_pool[2], X_pool[[3, 0]]
    (4, 'c', ['d', 'a'])
    """

    holds_column = True

    def __init__(self, source, column="text"):
        self.column = column
        self._shards = [_open(path, column) for path in _paths(source)]
        _check_one_type(self._shards, column)
        sizes = [size for shard in self._shards for size in shard.groups]
        self._starts = np.cumsum([0, *sizes], dtype=np.int64)
        self._firsts = np.cumsum([0, *(len(shard.groups) for shard in self._shards)])
        self._piece = 0, []
        self._check_no_gaps()

    def __len__(self):
        return int(self._starts[-1])

    def __repr__(self):
        return (
            f"<ParquetColumn {self.column!r}: {len(self)} rows in {len(self._shards)} "
            "files>"
        )

    @property
    def paths(self):
        """The files, in the order of their rows; a list of :class:`pathlib.Path`."""
        return [shard.path for shard in self._shards]

    def fingerprint(self):
        """Name what is read: the column, and the files' paths, sizes and dates.

        Returns
        -------
        fingerprint : str
            Another one once a file was changed. Reads no row.
        """
        files = [(str(shard.path), *shard.stat()) for shard in self._shards]
        return repr((self.column, files))

    def read(self, rows=None):
        """Read rows in order, some at a time.

        Parameters
        ----------
        rows : ndarray of shape (m,), dtype int64, default=None
            Sorted positions, none twice; None means all.

        Yields
        ------
        values : list
            16,384 of the rows, the last time fewer. Each row group is read once.
        """
        held, size = [], _slices.ROWS_AT_ONCE
        for values in self._read_pieces(rows):
            held += values
            while len(held) > size:
                yield held[:size]
                held = held[size:]
        yield held

    def _read_pieces(self, rows):
        """Lists of the rows wanted, one for each batch that is decoded."""
        for number, shard in enumerate(self._shards):
            first = self._firsts[number]
            groups, wanted = np.flatnonzero(shard.groups), None
            if rows is not None:
                starts = self._starts[first : first + len(shard.groups) + 1]
                here = rows[slice(*np.searchsorted(rows, starts[[0, -1]]))]
                of_row = np.searchsorted(starts, here, side="right") - 1
                groups, place = np.unique(of_row, return_inverse=True)
                sizes = np.diff(starts)[groups]
                wanted = here - starts[of_row] + (np.cumsum(sizes) - sizes)[place]
            if len(groups):
                yield from shard.read(self.column, groups.tolist(), wanted)

    def _one(self, row):
        """One row, out of the piece that was read last if it is there."""
        start, values = self._piece
        if not start <= row < start + len(values):
            group = np.searchsorted(self._starts, row, side="right") - 1
            start, stop = self._starts[[group, group + 1]]
            start += (row - start) // _slices.ROWS_AT_ONCE * _slices.ROWS_AT_ONCE
            stop = min(start + _slices.ROWS_AT_ONCE, stop)
            self._piece = start, values = start, next(self.read(np.arange(start, stop)))
        return values[row - start]

    def _check_no_gaps(self):
        """Refuse missing values, as far as the metadata knows of them."""
        gaps = [n for shard in self._shards for n in shard.missing]
        rows = [
            row
            for group in np.flatnonzero(gaps)
            for row in self._gaps_of(np.arange(*self._starts[[group, group + 1]]))
        ]
        if rows:
            name = f"column {self.column!r} of {self._shards[0].path.parent}"
            raise ValueError(not_a_text(name, rows, None))

    def _gaps_of(self, rows):
        for values in self.read(rows):
            yield from (rows[i] for i, value in enumerate(values) if value is None)
            rows = rows[len(values) :]

    def __getstate__(self):
        return {**self.__dict__, "_piece": (0, [])}


class _Shard(NamedTuple):
    """What the metadata of a file says: type, rows and missing values by row group."""

    path: Path
    kind: str
    groups: list
    missing: list
    size: int
    time: int

    def stat(self):
        """The size of the file in bytes and when it was changed, as of now."""
        found = os.stat(self.path)
        return found.st_size, found.st_mtime_ns

    def read(self, column, groups, wanted=None):
        """Yield lists of values in some row groups, or of these positions in them."""
        if self.stat() != (self.size, self.time):
            raise PoolChangedError(
                f"Files of a ParquetColumn must stay as they are. {self.path} was "
                "changed since it was opened; open the column again."
            )
        seen, options = 0, {"row_groups": groups, "columns": [column]}
        with _reading(self.path) as file:
            for batch in file.iter_batches(_slices.ROWS_AT_ONCE, **options):
                values = batch.column(0)
                if wanted is not None:
                    here = slice(*np.searchsorted(wanted, [seen, seen + len(values)]))
                    values = values.take(wanted[here] - seen)
                seen += len(batch)
                if len(values):
                    yield values.to_pylist()
                if wanted is not None and here.stop == len(wanted):
                    return


def _paths(source):
    """Absolute paths of the files."""
    if isinstance(source, (list, tuple)):
        paths = [Path(path) for path in source]
    elif not Path(source).is_dir():
        paths = [Path(source)]
    else:
        inside = sorted(Path(source).iterdir())
        paths = [path for path in inside if _is_shard(path)]
        if not paths:
            names = [path.name for path in inside]
            raise FileNotFoundError(
                "A folder of Parquet files must hold files that end in .parquet. "
                f"{source} holds {', '.join(names[:5]) or 'none'}"
                f"{', ...' * (len(names) > 5)}."
            )
    return [path.absolute() for path in paths]


def _is_shard(path):
    return path.suffix == ".parquet" and path.name[0] not in "._" and path.is_file()


@contextlib.contextmanager
def _reading(path):
    """The file, opened; what is wrong with it is said with its path."""
    parquet = import_parquet()
    import pyarrow

    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with parquet.ParquetFile(path, buffer_size=_BUFFER) as file:
            yield file
    except (OSError, pyarrow.ArrowException) as error:
        raise ValueError(
            f"{path} cannot be read as a Parquet file; write it again or leave it out: "
            f"{error}"
        ) from error


def _open(path, column):
    with _reading(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        _check_column(schema.names, column, path)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        missing = [_n_missing(group, column) for group in groups]
        kind = _kind(schema.field(column).type)
    found = os.stat(path)
    sizes = [group.num_rows for group in groups]
    return _Shard(path, kind, sizes, missing, found.st_size, found.st_mtime_ns)


def _kind(arrow_type):
    """The type's name; one for all kinds of texts, and one for whole numbers."""
    if is_arrow_text(arrow_type):
        return "texts"
    whole = str(arrow_type).removeprefix("u") in {"int8", "int16", "int32", "int64"}
    return "whole numbers" if whole else str(arrow_type)


def _check_column(names, column, path):
    if names.count(column) != 1:
        raise ValueError(
            f"All files must have the column {column!r}, once. {path} has "
            f"{', '.join(map(repr, names))}; name another column, or leave the file "
            "out."
        )


def _n_missing(group, column):
    """How many values a row group lacks, 0 if that is not known."""
    for i in range(group.num_columns):
        chunk = group.column(i)
        if chunk.path_in_schema == column:
            known = chunk.is_stats_set and chunk.statistics.has_null_count
            return chunk.statistics.null_count if known else 0
    return 0


def _check_one_type(shards, column):
    first = shards[0]
    for shard in shards:
        if shard.kind not in {"texts", "whole numbers"}:
            raise ValueError(
                f"A column must hold texts, or whole numbers. {column!r} of "
                f"{shard.path} is of type {shard.kind}; name another column, or "
                "convert it."
            )
        if shard.kind != first.kind:
            raise ValueError(
                f"A column must be of one type in all files. {column!r} holds "
                f"{first.kind} in {first.path} and {shard.kind} in {shard.path}; "
                "convert one."
            )
