# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The commands and their options. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

import skal
from skal.cli._errors import reported
from skal.cli._options import Dask, Jobs, Label, Model, Text
from skal.cli._vectors_app import embed, index

app = typer.Typer(
    name="skal",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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
def query(
    pool: Annotated[Path, typer.Option(help="File with the texts to choose from.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="New file for the batch, CSV or JSONL."),
    ],
    labelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="File with labels so far. Repeat it, in the order in which the files "
            "came about. Without one the first batch is drawn at random.",
        ),
    ] = None,
    n_queries: Annotated[
        int, typer.Option("--n-queries", "-n", min=1, help="Rows to ask for.")
    ] = 25,
    text: Text = "text",
    label: Label = "label",
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="Column of the pool that names each row. Without one a row is known "
            "by its number in the file, from 0, in a column called row.",
        ),
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="What picks the rows; ? lists all there are.")
    ] = "Entropy",
    filter_: Annotated[
        str, typer.Option("--filter", help="What narrows the pool first, or none.")
    ] = "none",
    model: Model = "tfidf",
    seed: Annotated[int, typer.Option(min=0, help="Of all random numbers.")] = 0,
    add_label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL",
            help="A label that the first labelled file lacks. Repeat it.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
):
    """Pick the texts to label next from a file.

    Reads CSV, JSON lines or Parquet. Learns from the labels so far, looks at the pool
    and writes the rows whose labels would help most, with an empty column to fill in:

      skal query --pool pool.csv --labelled seed.csv -o batch1.csv

    Fill in the labels of batch1.csv, in any order. Leave a row empty to skip it: it is
    not asked again. Then:

    \b
      skal query --pool pool.csv --labelled seed.csv --labelled batch1.csv \\
        -o batch2.csv
    """
    with reported():
        from skal.cli._query import query

        query(
            pool,
            labelled or [],
            output,
            n_queries=n_queries,
            text=text,
            label=label,
            id_=id_,
            strategy=strategy,
            filter_=filter_,
            model=model,
            seed=seed,
            add_labels=add_label or [],
            overwrite=overwrite,
        )


@app.command()
def simulate(
    data: Annotated[
        Path, typer.Argument(help="Labelled file, or folder with train and test files.")
    ],
    test: Annotated[
        Path | None,
        typer.Option(help="File to judge on.  [default: a fifth of the rows]"),
    ] = None,
    text: Text = "text",
    label: Label = "label",
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What picks; ? lists all there are. Repeat it to compare.  "
            "[default: Entropy, random]",
        ),
    ] = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME",
            help="What narrows the pool first, such as AnchorAL. Repeat it to "
            "compare.  [default: none]",
        ),
    ] = None,
    model: Model = "tfidf",
    rounds: Annotated[
        int, typer.Option(min=0, help="Rounds after the first rows.")
    ] = 10,
    n_queries: Annotated[
        int, typer.Option("--n-queries", "-n", min=1, help="Labels per round.")
    ] = 25,
    initial: Annotated[
        int | None, typer.Option(min=1, help="First rows.  [default: as in a round]")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions: 0, 1, ...")] = 5,
    scoring: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Scorer of scikit-learn. Repeat it.  [default: accuracy, f1_macro]",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", file_okay=False, help="Folder to write to."),
    ] = Path("skal-results"),
    jobs: Jobs = None,
    dask: Dask = None,
):
    """Try strategies on texts that have labels already.

    The labels are hidden; in each round a strategy picks rows and is told theirs. What
    comes out are the scores on test rows after each round: a table, a summary and a
    picture of the learning curves, in the output folder.

    \b
      skal simulate reviews.csv --strategy entropy --strategy random \\
        --filter AnchorAL

    Strategies and filters are called as in Python, in any spelling: random-sampling is
    RandomSampling. Each strategy is combined with each filter. After Ctrl-C the same
    command goes on where it stopped.
    """
    source = {"path": data, "text": text, "label": label}
    if test is not None:
        source["test"] = test
    settings = {
        "strategies": strategy or ["Entropy", "RandomSampling"],
        "filters": filter_ or ["none"],
        "model": model,
        "rounds": rounds,
        "n_queries": n_queries,
        "initial": initial,
        "seeds": seeds,
        "scoring": scoring or ["accuracy", "f1_macro"],
        "output": output,
        "jobs": jobs,
        "data": {data.resolve().stem: source},
    }
    with reported():
        from skal.cli._compare import make_plan, run

        run(make_plan(settings, Path()), dask)


@app.command()
def compare(
    config: Annotated[Path, typer.Argument(help="Configuration file, TOML.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            file_okay=False,
            help="Folder to write to, in place of what the file says.",
        ),
    ] = None,
    jobs: Jobs = None,
    dask: Dask = None,
):
    """Compare strategies and filters on several data sets, as a file says.

    \b
      strategies = ["Entropy", "RandomSampling", {name = "REAL", n_clusters = 50}]
      filters = ["none", {name = "AnchorAL", max_subpool = 500}]
      model = "skal-tiny"
      rounds = 10
      n_queries = 25
      seeds = 5
      output = "results"

    \b
      [data.reviews]
      path = "reviews.csv"
      text = "body"
      label = "stars"

    Every strategy is combined with every filter, and each pair runs on each data set
    once per seed. After Ctrl-C, or if the machine dies, the same command goes on where
    it stopped.
    """
    with reported():
        from skal.cli._compare import compare

        compare(config, output, jobs, dask)


app.command()(embed)
app.command()(index)


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
    if quick:
        rounds, seeds = min(rounds, 2), 1
    with reported():
        from skal.cli._demo import run_demo

        run_demo(rounds, n_queries, seeds, output, model=model)
