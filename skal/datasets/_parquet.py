# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Benchmark sets in folders of Parquet files."""

import json
from pathlib import Path

from skal.datasets._splits import bunch_of_splits, check_columns


def load_parquet_folder(folder, *, text_column="text", label_column="label"):
    """Load a pool of texts and the test texts beside it.

    Parameters
    ----------
    folder : path-like
        With ``train.parquet`` and ``test.parquet``, and optionally ``labels.json``, a
        list with the name of each label. Other files are not looked at.
    text_column : str, default="text"
        The column of the texts.
    label_column : str, default="label"
        The column of the labels: ints, or str.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set for :func:`~skal.simulate`, with the attributes

        data, data_test : list of str
            The texts of the two files, in their order.
        target, target_test : ndarray, dtype int64
            Their labels; for labels that are str their positions in `target_names`.
        target_names : list of str or None
            What ``labels.json`` says; without it labels that are str in alphabetical
            order, and None for ints.

    Raises
    ------
    FileNotFoundError
        If one of the two files is missing.
    ModuleNotFoundError
        If pyarrow is not installed.
    ValueError
        If a column is missing, a text is no str, or a label is missing or has no name.

    Notes
    -----
    The texts are read into memory.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa
    >>> from pyarrow.parquet import write_table
    >>> from skal.datasets import load_parquet_folder
    >>> rows = pa.table({"text": ["good", "poor"], "label": ["pos", "neg"]})
    >>> with TemporaryDirectory() as folder:
    ...     for split in ("train", "test"):
    ...         write_table(rows, f"{folder}/{split}.parquet")
    ...     bunch = load_parquet_folder(folder)
    >>> bunch.data, bunch.target.tolist(), bunch.target_names
    (['good', 'poor'], [1, 0], ['neg', 'pos'])
    """
    folder, columns = Path(folder), [text_column, label_column]
    splits = [
        _read(folder / f"{split}.parquet", columns) for split in ("train", "test")
    ]
    names = folder / "labels.json"
    names = json.loads(names.read_text(encoding="utf-8")) if names.is_file() else None
    return bunch_of_splits(*splits, names)


def _read(path, columns):
    parquet = import_parquet()
    if not path.is_file():
        raise FileNotFoundError(
            "The folder of a data set must hold train.parquet and test.parquet. There "
            f"is no {path}."
        )
    check_columns(parquet.read_schema(path).names, columns, str(path))
    table = parquet.read_table(path, columns=columns)
    return [table.column(column).to_pylist() for column in columns]


def import_parquet():
    """The module, or an error that says what to install."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ModuleNotFoundError(
            "Parquet files are read with pyarrow, which is not installed. Install it "
            "with: pip install 'skal[data]'"
        ) from error
    return pyarrow.parquet
