# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The vectors of a file of texts, and an index of them."""

import itertools
import os
import sys
from pathlib import Path

import joblib
import numpy as np

from skal.cli._dask import workers
from skal.cli._errors import UsageError
from skal.cli._names import TFIDF
from skal.cli._screen import quiet_transformers
from skal.cli._tables import read_table
from skal.datasets import ParquetColumn


def embed(
    texts,
    output,
    *,
    text="text",
    model="skal-tiny",
    pooling="mean",
    max_length=128,
    device="auto",
    dtype="float32",
    shard_rows=2048,
    jobs=None,
    dask=None,
    overwrite=False,
):
    """Compute the vectors of a file of texts, or what a store lacks of them.

    Parameters
    ----------
    texts : pathlib.Path
        Or a folder of Parquet files, which are read in slices, as one such file is.
    output : pathlib.Path
        The folder of the store.
    text : str
        The column.
    model, pooling, max_length, device
        As in `SentenceEncoder`.
    dtype, shard_rows, overwrite
        As in `skal.text.embed`.
    jobs : int or None, default=None
    dask : str or None, default=None
        The address of a scheduler.
    """
    from skal.text import SentenceEncoder
    from skal.text._embed import fill

    if model == TFIDF:
        raise UsageError(
            f"--model takes a transformer: skal-tiny, or the name or folder of a "
            f"checkpoint. Got {model!r}."
        )
    is_parquet = texts.is_dir() or texts.suffix.lower() == ".parquet"
    if is_parquet and texts.exists():
        rows = ParquetColumn(texts, text)
    else:
        rows = read_table(texts).texts(text)
    model = str(Path(model).resolve()) if os.path.isdir(model) else model
    settings = {"pooling": pooling, "max_length": max_length, "device": device}
    with quiet_transformers(), workers(dask):
        vectors, n_shards, n_computed = fill(
            rows,
            SentenceEncoder(model, **settings).fit(),
            output,
            dtype=dtype,
            shard_rows=shard_rows,
            n_jobs=jobs,
            overwrite=overwrite,
            verbose=int(sys.stderr.isatty()),
        )
    print(
        f"In {output.resolve()}: {len(vectors)} vectors of {vectors.shape[1]} numbers, "
        f"{vectors.dtype}. Shards: {n_shards}, of which {n_computed} were computed and "
        f"{n_shards - n_computed} found."
    )


def index(store, output, *, kind="auto", shards=1, recall=False, jobs=None, dask=None):
    """Build an index of the vectors in a store and save it.

    Parameters
    ----------
    store : pathlib.Path
        The folder of vectors that `embed` made.
    output : pathlib.Path
        The folder to save to.
    kind : str
        As in `NeighborIndex`.
    shards : int
        With more than one, `output` holds a folder for each.
    recall : bool
        Whether to measure which share of the neighbours it finds.
    jobs : int or None, default=None
    dask : str or None, default=None
    """
    from skal.text import load_vectors

    n_rows = len(load_vectors(store))
    if shards > n_rows:
        raise UsageError(
            f"--shards must be at most the number of vectors, {n_rows}. Got {shards}."
        )
    store, output = store.resolve(), output.resolve()
    ends = np.linspace(0, n_rows, shards + 1).astype(int).tolist()
    alone = shards == 1
    tasks = [
        joblib.delayed(_build)(
            store,
            output if alone else output / f"shard-{number:03d}",
            kind,
            slice(first, last),
            n_jobs=jobs if alone and dask is None else 1,
            recall=recall,
        )
        for number, (first, last) in enumerate(itertools.pairwise(ends))
    ]
    with workers(dask):
        built = joblib.Parallel(n_jobs=None if alone else jobs)(tasks)
    for folder, kind, n_rows, share in built:
        found = "" if share is None else f", recall {share:.3f}"
        print(f"In {folder}: an index of {n_rows} vectors, {kind}{found}.")


def _build(store, output, kind, rows, *, n_jobs, recall):
    from skal.text import load_vectors
    from skal.utils import NeighborIndex

    vectors = load_vectors(store)
    if rows != slice(0, len(vectors)):
        vectors = vectors[rows]
    index = NeighborIndex(vectors, kind, n_jobs=n_jobs)
    index.save(output)
    return output, index.kind, len(index), index.recall() if recall else None
