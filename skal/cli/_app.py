# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The commands and their options. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

import skal

app = typer.Typer(
    name="skal", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


def _print_version(wanted: bool):
    if wanted:
        typer.echo(f"skal {skal.__version__}")
        raise typer.Exit


@app.callback()
def _skal(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show it."
        ),
    ] = False,
):
    """Active learning for text, as scikit-learn estimators."""


@app.command()
def demo(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds after the seed set.")] = 5,
    n_queries: Annotated[int, typer.Option(min=1, help="Labels per round.")] = 80,
    seeds: Annotated[int, typer.Option(min=1, help="Runs: seeds 0, 1, ...")] = 5,
    output: Annotated[
        Path, typer.Option(file_okay=False, help="Folder for the picture.")
    ] = Path("skal-demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed and at most 2 rounds.")
    ] = False,
    model: Annotated[
        str, typer.Option(help="Checkpoint folder or name.")
    ] = "skal-tiny",
):
    """Watch active learning find a rare class, against random picking.

    Real sentences from the docstrings of installed packages; the rare class are those
    that document joblib, 2 % of the pool. One learner asks for labels with AnchorAL and
    entropy, the other at random, from the same 100 labels at the start; that is done
    again from other seeds. Shown are the rare sentences that each has found and how
    well it tells them on a test set, with the spread over the seeds. About four minutes
    on two cores with skal-tiny, the model that comes with skal; --quick takes less than
    one.
    """
    from skal.cli._demo import run_demo
    from skal.exceptions import ModelNotFoundError

    if quick:
        rounds, seeds = min(rounds, 2), 1
    try:
        run_demo(rounds, n_queries, seeds, output, model=model)
    except ModelNotFoundError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
