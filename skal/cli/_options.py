# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Options that several commands have."""

from typing import Annotated

import typer

Text = Annotated[str, typer.Option(help="Column of the texts.")]
Label = Annotated[str, typer.Option(help="Column of the labels.")]
Model = Annotated[
    str,
    typer.Option(
        help="What learns: tfidf (logistic regression on TF-IDF, quick), skal-tiny "
        "(the small transformer that comes with skal), or the name or folder of any "
        "checkpoint, such as bert-base-uncased."
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Tasks at a time; -1: as many as there are cores.  [default: 1]"),
]
Dask = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler whose workers do the tasks."),
]
