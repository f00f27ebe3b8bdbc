# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The commands that make vectors, and their options."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from skal.cli._errors import reported
from skal.cli._options import Dask, Jobs, Text

_Pooling = Enum("_Pooling", {name: name for name in ("mean", "cls")})
_Dtype = Enum("_Dtype", {name: name for name in ("float32", "float16")})
_Kind = Enum(
    "_Kind", {name: name for name in ("auto", "exact", "hnsw", "ivf", "ivf_pq")}
)


def embed(
    texts: Annotated[
        Path, typer.Argument(help="File with the texts, or folder of Parquet files.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", file_okay=False, help="Folder of the vectors, the store."
        ),
    ],
    text: Text = "text",
    model: Annotated[
        str,
        typer.Option(
            help="skal-tiny (the small transformer that comes with skal), or the name "
            "or folder of any checkpoint."
        ),
    ] = "skal-tiny",
    pooling: Annotated[
        _Pooling, typer.Option(help="What stands for a text: all tokens or the first.")
    ] = _Pooling.mean,
    max_length: Annotated[
        int, typer.Option(min=3, help="Tokens after which a text is cut.")
    ] = 128,
    device: Annotated[
        str, typer.Option(help="Where to compute: auto, cpu, cuda, ...")
    ] = "auto",
    dtype: Annotated[
        _Dtype, typer.Option(help="What the vectors are stored in.")
    ] = _Dtype.float32,
    shard_rows: Annotated[
        int, typer.Option(min=1, help="Texts that are computed and written together.")
    ] = 2048,
    jobs: Jobs = None,
    dask: Dask = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a store of another model, setting or file."
        ),
    ] = False,
):
    """Compute the vectors of the texts in a file, once.

    \b
      skal embed pool.parquet -o vectors --model bert-base-uncased --jobs -1

    Writes one array, memory-mapped: in Python, skal.text.load_vectors("vectors").
    After Ctrl-C, or if the machine dies, the same command goes on where it stopped.
    Texts that are added at the end of the file cost their own time.
    """
    with reported():
        from skal.cli._embed import embed

        embed(
            texts,
            output,
            text=text,
            model=model,
            pooling=pooling.value,
            max_length=max_length,
            device=device,
            dtype=dtype.value,
            shard_rows=shard_rows,
            jobs=jobs,
            dask=dask,
            overwrite=overwrite,
        )


def index(
    store: Annotated[Path, typer.Argument(help="Folder of vectors: of skal embed.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", file_okay=False, help="Folder of the index."),
    ],
    kind: Annotated[
        _Kind, typer.Option(help="How it finds neighbours; see NeighborIndex.")
    ] = _Kind.auto,
    shards: Annotated[
        int, typer.Option(min=1, help="Indexes, each of a part of the vectors.")
    ] = 1,
    recall: Annotated[
        bool,
        typer.Option("--recall", help="Measure what share of neighbours it finds."),
    ] = False,
    jobs: Jobs = None,
    dask: Dask = None,
):
    """Build an index of vectors, once.

    \b
      skal index vectors -o index --kind ivf_pq --recall

    In Python: skal.utils.NeighborIndex.load("index"). It reads the vectors where they
    are. With --shards 4 there are four indexes, in index/shard-000 and so on, for
    skal.utils.ShardedIndex; they are built in parallel, and each has a copy of its part
    of the vectors.
    """
    with reported():
        from skal.cli._embed import index

        options = {"kind": kind.value, "shards": shards, "recall": recall}
        index(store, output, **options, jobs=jobs, dask=dask)
