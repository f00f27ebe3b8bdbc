# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How long an annotator waits, and how much memory a query takes, as the pool grows.

A pool of texts in a memory-mapped Arrow file, with a vector for each in a memory-mapped
array (those of `index.py`, so that the neighbours are as far apart as in real
embeddings) and a saved index of the kind that "auto" takes: exact up to a million rows,
quantised for ten. A small BERT, trained on 200 labelled rows, looks at what a filter
leaves of the pool; entropy picks 25 rows. Beside AnchorAL (10 anchors in each of 2
classes, 50 neighbours, at most 1,000 rows): SEALS (50 neighbours), RandSub (1,000 rows)
and the whole pool. Run it as

    python benchmarks/big_pools.py --data DIR --model CHECKPOINT --work FOLDER \
        --out OUT [--rows 10000000]

where DIR holds the folder `agnews` for `skal.datasets.load_parquet_folder` and FOLDER
keeps pools, vectors and indexes (12 GB for ten million). OUT gets ``waits.csv``, a row
per filter and size, ``seals.csv``, the subpools of SEALS over 50 rounds, and
``waits.png``; what they have already is not measured again. Each line comes from a
process of its own. Memory is what is not mapped from files, at its peak.

The classifier is frozen, so that a round is a query and nothing else; the median of
five queries is given, each after 25 labels more, and the first one apart; on a machine
that is busy use ``--clock cpu``, with one thread. Texts repeat (25,010 of them),
vectors do not; the two have nothing to do with each other.
"""

import argparse
import json
import os
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from index import Case, PeakMemory, Table, alone, write_vectors
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from turns import CLOCKS, stopwatch

from skal import ActiveLearner, TransformerClassifier
from skal.datasets import load_parquet_folder
from skal.exceptions import FrozenEstimatorWarning
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import Entropy
from skal.utils import NeighborIndex

PACKAGES = ["faiss-cpu", "numpy", "pyarrow", "scikit-learn", "skal", "torch"]
PACKAGES += ["transformers"]
N_LABELED, N_ROUNDS, N_QUERIES, SEALS_ROUNDS = 200, 5, 25, 50
# Up to how many rows the whole pool is looked at: a million takes ten minutes a query.
LARGEST = {"none": 10**5}
FILTERS = ["AnchorAL", "SEALS", "RandSub", "none"]
_CHUNK = 100_000


class Lookup(TransformerMixin, BaseEstimator):
    """The vectors of texts that end with the number of their row."""

    def __init__(self, path):
        self.path = path

    def fit(self, X=None, y=None):
        """Open the file."""
        self.vectors_ = np.load(self.path, mmap_mode="r")
        return self

    def transform(self, X):
        """The whole file for the whole pool, else the rows."""
        if len(X) == len(self.vectors_):
            return self.vectors_
        rows = [int(text.rpartition(" ")[2]) for text in X]
        return np.float32(self.vectors_[rows])


def write_pool(case, texts):
    """An Arrow file of texts, each with the number of its row."""
    path = case.work / f"{case.n_rows}_texts.arrow"
    if path.exists():
        return
    schema = pa.schema([("text", pa.string())])
    unfinished = path.with_suffix(".part")
    with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, schema) as out:
        for start in range(0, case.n_rows, _CHUNK):
            rows = range(start, min(start + _CHUNK, case.n_rows))
            column = [f"{texts[row % len(texts)]} {row}" for row in rows]
            out.write_batch(pa.record_batch([column], schema=schema))
    unfinished.rename(path)


def read_pool(case):
    """A column of texts that stays on disk."""
    file = pa.memory_map(str(case.work / f"{case.n_rows}_texts.arrow"))
    return pa.ipc.open_file(file).read_all()["text"]


def trained(args):
    """The classifier, and 200 rows with their labels: business news or not."""
    data = load_parquet_folder(Path(args.data) / "agnews")
    y = np.asarray(data.target) == 2
    rows = np.random.default_rng(0).choice(len(y), N_LABELED, replace=False)
    classifier = TransformerClassifier(
        args.model, lr=5e-4, min_steps=100, max_length=64, device="cpu", random_state=0
    )
    return classifier.fit([data.data[row] for row in rows], y[rows]), y


def filters(case):
    """Names and filters around entropy."""
    encoder = FrozenEstimator(Lookup(case.work / f"{case.name}.npy").fit())
    found = {"encoder": encoder, "index": case.folder("auto")}
    return {
        "AnchorAL": AnchorAL(Entropy(), n_anchors=10, n_neighbors=50, **found),
        "SEALS": SEALS(Entropy(), n_neighbors=50, **found),
        "RandSub": RandSub(Entropy(), max_subpool=1000),
        "none": Entropy(),
    }


class Rounds:
    """A learner with 200 labels and a pool; each query is followed by its answers."""

    def __init__(self, name, case, args):
        warnings.simplefilter("ignore", FrozenEstimatorWarning)
        classifier, self.y = trained(args)
        self.pool, self.clock = read_pool(case), case.clock
        self.learner = ActiveLearner(
            FrozenEstimator(classifier),
            filters(case)[name],
            n_queries=N_QUERIES,
            random_state=0,
        )
        self.asked = np.linspace(0, case.n_rows - 1, N_LABELED).astype(np.int64)
        self.learner.fit(*self.answers(self.asked))

    def answers(self, rows):
        """Texts and labels of rows of the pool."""
        texts = [self.pool[int(row)].as_py() for row in rows]
        return texts, self.y[rows % len(self.y)]

    def query(self, n_rounds):
        """Seconds and size of the subpool of each query."""
        for _ in range(n_rounds):
            seconds, rows = stopwatch(
                self.clock,
                lambda: self.learner.query(self.pool, exclude=self.asked),
            )
            yield seconds, self.learner._log.n_subpool or len(self.pool)
            self.asked = np.concatenate([self.asked, rows])
            self.learner.teach(*self.answers(rows))


def waits(name, case, args):
    """A row of waits.csv."""
    many = case.n_rows >= 10**5 and name == "none"
    rounds = Rounds(name, case, args)
    with PeakMemory() as memory:
        found = list(rounds.query(2 if many else 1 + N_ROUNDS))
    seconds, sizes = zip(*found, strict=True)
    return {
        "first query, s": seconds[0],
        "a later query, s": float(np.median(seconds[1:])),
        "subpool": int(np.median(sizes[1:])),
        "peak memory, MB": memory.megabytes,
    }


def growth(case, args):
    """Rows of seals.csv."""
    found = Rounds("SEALS", case, args).query(SEALS_ROUNDS)
    return [
        {"round": number, "seconds": seconds, "subpool": size}
        for number, (seconds, size) in enumerate(found, start=1)
    ]


def prepare(case, args):
    """The pool, its vectors and their index."""
    alone(write_vectors, case)
    alone(write_pool, case, load_parquet_folder(Path(args.data) / "agnews").data)
    if not case.folder("auto").exists():
        alone(write_index, case)


def write_index(case):
    """Build and save an index, of the kind that is chosen for so many vectors."""
    NeighborIndex(case.vectors, n_jobs=case.threads).save(case.folder("auto"))


def run(case, args):
    """All that is not yet measured of one size."""
    table, seals = Table(args.out / "waits.csv"), Table(args.out / "seals.csv")
    prepare(case, args)
    for name in args.filters:
        key = {"filter": name, "rows": case.n_rows}
        if case.n_rows > LARGEST.get(name, 10**9) or table.has(**key):
            continue
        table.add(key, [alone(waits, name, case, args)])
    if case.n_rows == args.seals_rows and not seals.has(rows=case.n_rows):
        seals.add({"rows": case.n_rows}, alone(growth, case, args))


def plot(out):
    """Seconds over rows, a line per filter; and how SEALS grows."""
    import matplotlib.pyplot as plt

    grown = (out / "seals.csv").exists()
    shape = {"ncols": 2 + grown, "figsize": (9 + 4 * grown, 4)}
    figure, axes = plt.subplots(**shape, layout="constrained")
    table, markers = pd.read_csv(out / "waits.csv"), "osv^"
    columns = {"a later query, s": axes[0], "peak memory, MB": axes[1]}
    for (name, part), marker in zip(table.groupby("filter"), markers, strict=False):
        part = part.sort_values("rows")
        for column, ax in columns.items():
            ax.semilogx(part["rows"], part[column], marker=marker, label=name)
            ax.set(xlabel="rows in the pool", ylabel=column)
    axes[0].set_yscale("log")
    axes[0].legend()
    if grown:
        seals = pd.read_csv(out / "seals.csv")
        axes[2].plot(seals["round"], seals["seconds"], color="C3", marker=".")
        label = f"a query with SEALS, s ({seals['rows'].iloc[0]:,} rows)"
        axes[2].set(xlabel="round", ylabel=label, ylim=(0, None))
    figure.savefig(out / "waits.png", dpi=120)


def about(args):
    """Settings and versions."""
    return {
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg(),
        "threads": args.threads,
        "clock": args.clock,
        "dtype": "float16",
        "model": Path(args.model).name,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--filters", nargs="+", choices=FILTERS, default=FILTERS)
    parser.add_argument("--seals-rows", type=int, default=10**5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    for n_rows in args.rows:
        case = Case(n_rows, 24, 384, "float16", args.threads, args.clock, args.work)
        run(case, args)
    (args.out / "waits.json").write_text(json.dumps(about(args), indent=1) + "\n")
    plot(args.out)


if __name__ == "__main__":
    main()
