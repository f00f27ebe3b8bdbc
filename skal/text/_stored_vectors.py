# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Reading the vectors that a store holds."""

import json
import os
from pathlib import Path

import numpy as np

from skal.exceptions import StoreFilesError
from skal.text._parts import Part, npy_header

# To be raised when files that are written from now on can no longer be read by the code
# that came before.
VERSION = 1
META = "store.json"
_KEYS = frozenset(
    "dtype encoder made_by n_features n_rows shard_rows shards texts vectors".split()
)


def load_vectors(folder, *, verify=False):
    """Open the vectors that :func:`embed` has stored.

    Parameters
    ----------
    folder : path-like
        What `embed` was given.
    verify : bool, default=False
        Whether to read all vectors and compare them with the checksums that were
        written with them. Without that the size of the file and its header are looked
        at, which takes no time.

    Returns
    -------
    vectors : memmap of shape (n, n_features), dtype float32 or float16
        Read-only. What is not looked at stays on disk.

    Raises
    ------
    FileNotFoundError
        If there is no store in the folder.
    StoreFilesError
        If the store is not finished, damaged or of another version.

    See Also
    --------
    embed : Computes them, and mends what is damaged.
    StoredEncoder : Gives a filter the vectors of texts out of a store.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skal.text import SentenceEncoder, embed, load_vectors
    >>> texts = ["a text", "another", "a third"]
    >>> with TemporaryDirectory() as folder:
    ...     vectors = embed(texts, SentenceEncoder("skal-tiny"), folder)
    ...     print(load_vectors(folder).shape)
    (3, 128)
    """
    folder = Path(os.path.abspath(folder))
    meta = read_meta(folder)
    if meta is None:
        raise FileNotFoundError(
            f"A store of vectors has a file {META}. {folder} has none; pass the folder "
            "that embed was given."
        )
    if not meta:
        raise _damaged(folder / META)
    if meta["vectors"] is None:
        raise StoreFilesError(
            f"The vectors in {folder} are not all computed yet. Repeat the call of "
            "embed, which computes what is missing."
        )
    path = folder / meta["vectors"]
    shape = meta["n_rows"], meta["n_features"]
    _check_file(path, shape, meta["dtype"])
    if verify:
        for _, part in parts_of(folder, meta):
            try:
                part.read()
            except ValueError as error:
                raise _damaged(path) from error
    return np.load(path, mmap_mode="r")


def _check_file(path, shape, dtype):
    header = npy_header(shape, dtype)
    try:
        with open(path, "rb") as file:
            found, size = file.read(len(header)), path.stat().st_size
    except FileNotFoundError as error:
        raise _damaged(path) from error
    if (
        found != header
        or size != len(header) + np.prod(shape) * np.dtype(dtype).itemsize
    ):
        raise _damaged(path)


def _damaged(path):
    return StoreFilesError(
        f"The files of a store must be as they were written. {path} is missing, "
        "damaged or cut short. Repeat the call of embed, which computes what is lost."
    )


def read_meta(folder):
    """What ``store.json`` says: None if it is not there, {} if it is damaged.

    Raises
    ------
    StoreFilesError
        If the store is of another version.
    """
    path = folder / META
    if not path.is_file():
        return None
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        version = meta["version"]
    except (ValueError, KeyError, TypeError):
        return {}
    if version != VERSION:
        raise StoreFilesError(
            f"This skal reads stores of version {VERSION}. That in {folder} is of "
            f"version {version}; name another folder."
        )
    return meta if meta.keys() >= _KEYS else {}


def parts_of(folder, meta):
    """[(name, Part)] of the array of a finished store; empty if there is none."""
    if not meta or meta["vectors"] is None:
        return []
    path = folder / meta["vectors"]
    shape = meta["n_rows"], meta["n_features"]
    width = meta["n_features"] * np.dtype(meta["dtype"]).itemsize
    offset = len(npy_header(shape, meta["dtype"]))
    parts = []
    for number, (name, digest) in enumerate(meta["shards"]):
        first = number * meta["shard_rows"]
        n_rows = min(meta["shard_rows"], meta["n_rows"] - first)
        parts.append((name, Part(path, offset + first * width, n_rows * width, digest)))
    return parts


class StoredTexts:
    """The vectors of a finished store, found by text.

    Parameters
    ----------
    folder : path-like
    meta : dict
        What its ``store.json`` says.

    Attributes
    ----------
    vectors : memmap of shape (n, n_features)
    keys : ndarray of shape (n,), dtype S16
        The hash of the text of each row.
    """

    def __init__(self, folder, meta):
        self.vectors = load_vectors(folder)
        path = Path(os.path.abspath(folder)) / meta["texts"]
        try:
            self.keys = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path) from error
        self._order = np.argsort(self.keys, kind="stable")

    def read(self, keys, vectors):
        """Fill in the vectors that are stored; return the positions of the rest."""
        place = np.searchsorted(self.keys, keys, sorter=self._order)
        row = self._order[place.clip(max=len(self.keys) - 1)]
        is_stored = self.keys[row] == keys
        vectors[is_stored] = self.vectors[row[is_stored]]
        return np.flatnonzero(~is_stored)
