# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool embedded once, shard by shard, on one machine or many."""

import contextlib
import functools
import os
import pickle
import uuid
import warnings
from numbers import Integral
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skal.exceptions import TruncationWarning
from skal.text._embedding_store import EmbeddingStore
from skal.text._encoder_identity import fingerprint_of, name_of
from skal.text._parts import Part
from skal.text._vector_store import text_keys
from skal.utils._arrays import check_vectors
from skal.utils._rows import is_column, num_rows, to_list
from skal.utils._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skal.utils._slices import read_slices
from skal.utils._threads import one_thread
from skal.utils._validation import check_not_bare_string, check_texts
from skal.utils._warnings import warn

CONSTRAINTS = {
    "encoder": [HasMethods(["fit", "transform"])],
    "folder": [str, os.PathLike],
    "dtype": [StrOptions({"float16", "float32"})],
    "shard_rows": [Interval(Integral, 1, None, closed="left")],
    "n_jobs": [Integral, None],
    "overwrite": ["boolean"],
    "verbose": ["verbose"],
}
_lent = {}  # path -> encoder, of calls that are under way in this process


def embed(
    X,
    encoder,
    folder,
    *,
    dtype="float32",
    shard_rows=2048,
    n_jobs=None,
    overwrite=False,
    verbose=0,
):
    """Compute the vectors of a pool once and store them in a memory-mapped array.

    The rows are computed in shards of `shard_rows`, which are written as they are
    finished. A call that was killed, or ran out of disk space, is repeated and computes
    what is missing. A call with a finished store computes nothing.

    Read more in :doc:`the page on more than one machine </more_than_one_machine>`.

    Parameters
    ----------
    X : sequence of str of length n
        List, tuple, array, pandas or polars Series, Arrow array,
        :class:`~skal.datasets.ParquetColumn` or any other sequence. It is read in
        slices, twice: to see which texts these are, and what is missing.
    encoder : transformer
        Turns texts into dense vectors: a :class:`SentenceEncoder`, or any other. One
        that is not fitted is cloned and fitted on X.
    folder : path-like
        A new or empty folder, or an earlier store. One folder is for one pool, one
        encoder and one `dtype`. On a cluster all machines must see it.
    dtype : {"float32", "float16"}, default="float32"
        What the vectors are stored in. "float16" takes half the space and keeps three
        digits.
    shard_rows : int, default=2048
        Texts in a shard: what one task computes, and what is lost when it is killed.
    n_jobs : int or None, default=None
        Shards at a time, as joblib understands it; each is computed in one thread.
    overwrite : bool, default=False
        Whether to replace a store of another encoder, of other settings or of other
        texts. It stays until the new one is complete.
    verbose : int, default=0
        1 shows a progress bar with the time left.

    Returns
    -------
    vectors : memmap of shape (n, n_features) and dtype `dtype`
        Read-only, in the order of X. What is not looked at stays on disk.

    Raises
    ------
    ValueError
        If X is empty or a row is no str, if the encoder gives something other than
        finite vectors of one length, or the folder holds something else.
    StoreMismatchError
        If the store is of another encoder, of other settings, or of texts of which none
        is in X. It is left as it is.
    OSError
        If the folder cannot be written to, because the disk is full for example. The
        shards that are finished are kept.

    Warns
    -----
    CacheWarning
        If something in the store was damaged, and is computed again.
    TruncationWarning
        Once, if texts are cut because the model has fewer positions.

    See Also
    --------
    load_vectors : Opens a finished store.
    StoredEncoder : The same as a transformer, for filters.

    Notes
    -----
    *What is computed.* A shard is known by the encoder, the settings and its texts, in
    their order. So a pool that has grown costs its last shards; a row inserted at the
    front costs all of them. Each text is computed once per shard it occurs in. Batches
    are put together within a shard and computed in one thread. So the file has the same
    bytes with any `n_jobs`, on any backend of joblib and however often it was
    interrupted, on machines of one kind; otherwise vectors differ in their last digits,
    as they do from those of ``encoder.transform(X)``.

    *What a damaged file costs.* Each shard has a checksum of 128 bits, which every call
    compares with the whole file; a shard that differs is computed again. A second
    process must not write to the folder at the same time.

    *Which encoder it is.* An encoder with a method `fingerprint` is known by what that
    returns, a `SentenceEncoder` by its weights, tokenizer and settings; any other by
    its class, its parameters and a hash of what it has fitted. So a vectorizer that is
    fitted again on other texts is another encoder.

    *Memory* is that of 16 bytes a row, and, in each task, the encoder and one shard.
    *Disk*: once all shards are there they are copied into one file, so that for a
    moment twice the space of the vectors is taken. Until then the folder also holds a
    pickle of the encoder, from which workers load it once each.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skal.text import SentenceEncoder, embed
    >>> texts = ["a text", "another", "a third"]
    >>> with TemporaryDirectory() as folder:
    ...     vectors = embed(texts, SentenceEncoder("skal-tiny"), folder)
    >>> vectors.shape, str(vectors.dtype)
    ((3, 128), 'float32')
    """
    params = {name: value for name, value in locals().items() if name in CONSTRAINTS}
    validate_parameter_constraints(CONSTRAINTS, params, "embed")
    encoder = fitted(encoder, X)
    return fill(X, **params | {"encoder": encoder})[0]


def fitted(encoder, X):
    """The encoder itself if it is fitted, else a clone that is."""
    try:
        check_is_fitted(encoder)
    except NotFittedError:
        return clone(encoder).fit(X)
    return encoder


def fill(X, encoder, folder, *, dtype, shard_rows, n_jobs, overwrite, verbose):
    """The vectors, the number of shards, and how many of them had to be computed."""
    X = as_texts(X)
    keys = keys_of(X)
    fingerprint = fingerprint_of(encoder)
    store = EmbeddingStore(folder, fingerprint, dtype, shard_rows, name_of(encoder))
    store.begin(keys, overwrite)
    names = store.names(keys)
    parts = store.finished(names)
    missing = {}
    for number, name in enumerate(names):
        if name not in parts and name not in missing:
            rows = range(number * shard_rows, (number + 1) * shard_rows)
            missing[name] = range(len(keys))[rows.start : rows.stop]
    n_left = sum(map(len, missing.values()))
    n_computed, cut = 0, []
    progress = {"total": len(keys), "initial": len(keys) - n_left, "unit": "text"}
    with tqdm(**progress, disable=not verbose) as bar:
        for name, done in _computed(store, encoder, X, missing, n_jobs):
            parts[name] = done.part
            n_computed += done.is_new
            cut += done.cut
            bar.update(len(missing[name]))
    if cut:
        shards = "1 shard" if len(cut) == 1 else f"{len(cut)} shards; this is of one"
        warn(f"Texts were cut in {shards}. {cut[0]}", TruncationWarning)
    return store.finish(names, parts, keys), len(set(names)), n_computed


def as_texts(X):
    """X as it is if it is a column, which is checked when it is read; not empty."""
    check_not_bare_string(X)
    return X if is_column(X) and num_rows(X) else check_texts(X)


def keys_of(X):
    """The hash of each text."""
    return np.concatenate([text_keys(part) for part in read_slices(X, name="X")])


def _computed(store, encoder, X, missing, n_jobs):
    """Yield (name, Done) of shards as they finish."""
    if not missing:
        return
    with _lending(encoder, store) as path:
        tasks = (
            joblib.delayed(_compute)(store, path, name, rows[0], texts)
            for (name, rows), texts in zip(
                missing.items(), _texts(X, missing.values()), strict=True
            )
        )
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        yield from parallel(tasks)


def _texts(X, ranges):
    """Yield the texts of each range of rows, in their order, reading X once."""
    rows = np.concatenate([np.arange(part.start, part.stop) for part in ranges])
    sizes, held = iter(map(len, ranges)), []
    size = next(sizes)
    for part in read_slices(X, None if len(rows) == num_rows(X) else rows, "X"):
        held += to_list(part)
        while size is not None and len(held) >= size:
            yield held[:size]
            del held[:size]
            size = next(sizes, None)


@contextlib.contextmanager
def _lending(encoder, store):
    """A file that workers load the encoder from, for the time of the block."""
    path = store.folder / f"{uuid.uuid4().hex}.pkl"
    # By value where it was defined in a script or notebook.
    wrapped = joblib.wrap_non_picklable_objects(encoder, keep_wrapper=False)
    store.write(path, lambda file: pickle.dump(wrapped, file))
    _lent[path] = encoder
    try:
        yield path
    finally:
        del _lent[path]
        with contextlib.suppress(OSError):
            path.unlink()


@functools.lru_cache(maxsize=1)
def _borrowed(path):
    if not path.exists():
        raise FileNotFoundError(
            f"Every worker must see the folder of the store. {path.parent} is not "
            "there, or not the same; pass a folder on a file system that all machines "
            "share."
        )
    with open(path, "rb") as file:
        return pickle.load(file)


class Done(NamedTuple):
    """A shard that is written, whether just now, and what was said of texts cut."""

    part: Part
    is_new: bool
    cut: list


def _compute(store, path, name, first_row, texts):
    """Compute a shard, unless a worker that died has finished it."""
    part = store.find(name)
    if part is not None:
        return name, Done(part, False, [])
    encoder = _lent[path] if path in _lent else _borrowed(path)
    try:
        with one_thread(), _noted_cuts() as cut:
            vectors = encoder.transform(texts)
        vectors = checked(vectors, len(texts), store.settings["dtype"])
    except Exception as error:
        if hasattr(error, "add_note"):  # Python 3.11
            last_row = first_row + len(texts) - 1
            error.add_note(f"In the vectors of rows {first_row} to {last_row} of X.")
        raise
    return name, Done(store.put(name, vectors), True, cut)


@contextlib.contextmanager
def _noted_cuts():
    """A list of what the block says of texts that are cut; other warnings pass."""
    cut = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TruncationWarning)
        yield cut
    for said in caught:
        if issubclass(said.category, TruncationWarning):
            cut.append(str(said.message))
        else:
            warnings.warn_explicit(
                said.message, said.category, said.filename, said.lineno
            )


def checked(vectors, n_rows, dtype):
    """What an encoder gave, as a finite array of a dtype."""
    vectors = check_vectors(vectors, "The vectors of the encoder")
    if len(vectors) != n_rows or vectors.shape[1] == 0:
        raise ValueError(
            "An encoder must give one vector per text, of at least one number. Got "
            f"shape {vectors.shape} for {n_rows} texts."
        )
    with np.errstate(over="ignore"):
        stored = vectors.astype(dtype, copy=False)
    if not np.isfinite(stored.sum(axis=1, dtype=np.float64)).all():
        raise ValueError(
            f"dtype must hold the numbers of the vectors. Got {dtype} and numbers up "
            f"to {np.abs(vectors).max():.4g}; use dtype='float32'."
        )
    return stored
