# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What an index costs to build, to keep and to ask, and what it finds.

Vectors on a curved surface of 24 or 64 dimensions, in a memory-mapped file; as far as
their distances show (column intrinsic_dimension), they have 17 and 26 where there are
100,000 of them. Of every kind of index: the seconds and the memory that building it
takes, its bytes, the seconds to load it and to search for 20 queries with 50 neighbours
each, its recall, and the seconds of a whole query of AnchorAL; then recall against
time, by how far it looks and how many candidates are ranked again. Run it as

    python benchmarks/index.py --work FOLDER --out FOLDER [--rows 10000000]

The first folder keeps vectors and indexes, of each surface 3 GB for a million rows and
8.5 GB for ten million. The second gets ``kinds.csv``, ``frontier.csv`` and, with
settings and versions, ``index.json``. What they have already is not measured again. On
a machine that is busy use ``--clock cpu``: seconds of all cores together.
"""

import argparse
import itertools
import json
import os
import platform
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from turns import CLOCKS, stopwatch

from skal import ActiveLearner
from skal.filters import AnchorAL
from skal.utils import NeighborIndex
from skal.utils._faiss_kinds import FAISS_KINDS

PACKAGES = ["faiss-cpu", "numpy", "scikit-learn", "skal"]
N_QUERIES, K, N_BATCHES = 20, 50, 10
# Up to how many rows a kind is measured: "hnsw" takes an hour for a million, "ivf"
# holds a copy of the vectors.
LARGEST = {"exact": 10**9, "hnsw": 10**5, "ivf": 10**6, "ivf_pq": 10**9}
LOOKS = {
    "hnsw": ("ef", [50, 100, 200, 400, 800]),
    "ivf": ("n_probe", [8, 16, 32, 64, 128, 256]),
    "ivf_pq": ("n_probe", [8, 16, 32, 64, 128, 256]),
}
# Candidates per neighbour that are ranked again.
RANKED = {"hnsw": [2], "ivf": [2], "ivf_pq": [2, 5, 10, 20, 40]}
_SLICE, _HIDDEN, _NOISE = 50_000, 256, 0.02


@dataclass(frozen=True)
class Case:
    """Some vectors, and where they are."""

    n_rows: int
    surface: int
    d: int
    dtype: str
    threads: int
    clock: str
    work: Path

    @property
    def name(self):
        return f"{self.n_rows}_{self.surface}_{self.d}_{self.dtype}"

    @property
    def vectors(self):
        return np.load(self.work / f"{self.name}.npy", mmap_mode="r")

    def folder(self, kind):
        return self.work / f"{self.name}_{kind}"

    def draw(self, n_rows, *seed):
        """Rows that are a smooth function of `surface` numbers, with a little noise.

        The numbers lie in 100 clouds that overlap; all rows have something in common,
        as embeddings do.
        """
        fixed = np.random.default_rng([0, self.surface, self.d])
        inner = fixed.standard_normal((self.surface, _HIDDEN), dtype=np.float32)
        outer = fixed.standard_normal((_HIDDEN, self.d), dtype=np.float32)
        clouds = fixed.standard_normal((100, self.surface), dtype=np.float32)
        rng = np.random.default_rng([1, self.surface, *seed])
        at = clouds[rng.integers(len(clouds), size=n_rows)]
        at += rng.standard_normal(at.shape, dtype=np.float32)
        rows = np.tanh(at @ inner / np.float32(np.sqrt(self.surface)) + 0.5)
        rows = rows @ outer / np.float32(np.sqrt(_HIDDEN))
        rows += np.float32(_NOISE) * rng.standard_normal(rows.shape, dtype=np.float32)
        return rows

    def queries(self):
        """Rows that the pool has not, in batches."""
        rows = self.draw(N_BATCHES * N_QUERIES, 10**9)
        return np.split(rows, N_BATCHES)


def write_vectors(case):
    """Slice by slice, under another name until all are there."""
    path = case.work / f"{case.name}.npy"
    if path.exists():
        return
    unfinished = path.with_suffix(".part")
    shape = case.n_rows, case.d
    file = np.lib.format.open_memmap(unfinished, "w+", np.dtype(case.dtype), shape)
    for number, start in enumerate(range(0, case.n_rows, _SLICE)):
        part = file[start : start + _SLICE]
        part[:] = case.draw(_SLICE, number)[: len(part)]
    file.flush()
    unfinished.rename(path)


def true_similarity(case):
    """(queries, K) similarities of the true neighbours; kept in a file."""
    path = case.work / f"{case.name}_true.npy"
    if not path.exists():
        index = NeighborIndex(case.vectors, "exact", n_jobs=case.threads)
        np.save(path, index.search(np.concatenate(case.queries()), K)[1])
    return np.load(path)


def intrinsic_dimension(similarity):
    """The maximum-likelihood estimate from distances to neighbours.

    E. Levina, P. Bickel. Maximum likelihood estimation of intrinsic dimension. NIPS
    2004, equation 9 with the mean of the inverses.
    """
    distance = np.sqrt(2 - 2 * similarity)
    return float(1 / np.log(distance[:, -1:] / distance[:, :-1]).mean())


class PeakMemory:
    """The most private memory in use during a block, looked at every 10 ms."""

    def __enter__(self):
        self.megabytes, self._done = self._now(), threading.Event()
        self._before = self.megabytes
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.01):
            self.megabytes = max(self.megabytes, self._now())

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()
        self.megabytes -= self._before

    @staticmethod
    def _now():
        """Without what is mapped from files, such as the vectors."""
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024


def build(case, kind):
    """Build and save an index; what that took."""
    with PeakMemory() as memory:
        seconds, index = stopwatch(
            case.clock,
            lambda: NeighborIndex(case.vectors, kind, n_jobs=case.threads),
        )
    index.save(case.folder(kind))
    n_bytes = sum(path.stat().st_size for path in case.folder(kind).iterdir())
    return {
        "build_seconds": seconds,
        "build_seconds_per_million": seconds * 1e6 / case.n_rows,
        "build_peak_megabytes": memory.megabytes,
        "bytes": n_bytes,
        "bytes_per_row": n_bytes / case.n_rows,
    }


def load(case, kind):
    return NeighborIndex.load(case.folder(kind), n_jobs=case.threads)


def search(case, index):
    """The median seconds of a batch of queries, and the recall."""
    similarity, taken = [], []
    batches = case.queries()
    index.search(batches[0], K)  # what is read from the disk is there from now on
    for batch in batches:
        seconds, found = stopwatch(case.clock, index.search, batch, K)
        taken.append(seconds)
        similarity.append(found[1])
    true = true_similarity(case)
    right = np.concatenate(similarity) >= true[:, -1:] - 1e-12
    return {"search_seconds": float(np.median(taken)), "recall": right.mean()}


def ask(case, kind):
    """The seconds of a query of AnchorAL with a linear model, the first one apart."""
    pool, y = case.vectors, np.arange(N_QUERIES) % 2
    strategy = AnchorAL(n_neighbors=K, index=case.folder(kind))
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    learner.fit(np.float32(pool[:N_QUERIES]), y)
    exclude = np.arange(N_QUERIES)
    taken = [
        stopwatch(case.clock, lambda: learner.query(pool, exclude=exclude))[0]
        for _ in range(6)
    ]
    return {"first_query_seconds": taken[0], "query_seconds": np.median(taken[1:])}


def measure(case, kind):
    """A row of kinds.csv."""
    built = build(case, kind)
    with PeakMemory() as memory:
        seconds, index = stopwatch(case.clock, load, case, kind)
        first, _ = stopwatch(case.clock, index.search, case.queries()[0], K)
        found = search(case, index)
    found |= {"load_seconds": seconds, "first_search_seconds": first}
    found |= {"search_peak_megabytes": memory.megabytes}
    return built | found | ask(case, kind)


def parameters(kind, look):
    """How far a search looks, whatever it is to find."""
    import faiss

    if kind == "hnsw":
        return faiss.SearchParametersHNSW(efSearch=look)
    lists = faiss.SearchParametersIVF(nprobe=look)
    if kind == "ivf":
        return lists
    return faiss.SearchParametersPreTransform(index_params=lists)


def frontier(case, kind):
    """Rows of frontier.csv."""
    index, default = load(case, kind), FAISS_KINDS[kind]
    name, values = LOOKS[kind]
    rows = []
    for ranked in RANKED[kind]:
        if ranked * K > case.n_rows / 10:  # the search would be exact
            continue
        for value in values:
            FAISS_KINDS[kind] = replace(
                default,
                params=lambda _, look=value: parameters(kind, look),
                wider=(ranked, 8 * ranked),
            )
            row = {"setting": name, "value": value, "ranked_per_neighbor": ranked}
            rows.append(row | search(case, index))
    FAISS_KINDS[kind] = default
    return rows


class Table:
    """A CSV file that is written row by row."""

    def __init__(self, path):
        self.path = path
        self.rows = pd.read_csv(path).to_dict("records") if path.is_file() else []

    def has(self, **key):
        return any(key.items() <= row.items() for row in self.rows)

    def add(self, key, rows):
        for row in rows:
            rounded = {name: _rounded(value) for name, value in row.items()}
            self.rows.append(key | rounded)
            print(self.rows[-1], flush=True)
        pd.DataFrame(self.rows).to_csv(self.path, index=False)


def _rounded(value):
    return float(f"{value:.5g}") if isinstance(value, float) else value


def alone(function, *args):
    """Call a function in a process of its own: what it holds is gone afterwards."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def run(case, kinds, out):
    """All that is not yet measured of one pool."""
    tables = Table(out / "kinds.csv"), Table(out / "frontier.csv")
    alone(write_vectors, case)
    true = alone(true_similarity, case)
    seen = {"intrinsic_dimension": intrinsic_dimension(true)}
    for kind in kinds:
        key = {"rows": case.n_rows, "surface": case.surface, "kind": kind}
        if case.n_rows > LARGEST[kind]:
            continue
        if not tables[0].has(**key):
            tables[0].add(key, [seen | alone(measure, case, kind)])
        if kind in LOOKS and not tables[1].has(**key):
            tables[1].add(key, alone(frontier, case, kind))


def about(args):
    names = ("dimensions", "dtype", "threads", "clock")
    settings = {name: vars(args)[name] for name in names}
    settings |= {"queries": N_QUERIES, "neighbors": K, "batches": N_BATCHES}
    versions = {name: version(name) for name in PACKAGES}
    return {
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg(),
        "versions": {"python": platform.python_version()} | versions,
        "settings": settings,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--surface", type=int, nargs="+", default=[24, 64])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16")
    parser.add_argument("--kinds", nargs="+", choices=list(LARGEST), default=LARGEST)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    args = parser.parse_args()
    for folder in (args.work, args.out):
        folder.mkdir(parents=True, exist_ok=True)
    for n_rows, surface in itertools.product(args.rows, args.surface):
        case = Case(
            n_rows,
            surface,
            args.dimensions,
            args.dtype,
            args.threads,
            args.clock,
            args.work,
        )
        run(case, args.kinds, args.out)
        (args.out / "index.json").write_text(json.dumps(about(args), indent=1) + "\n")


if __name__ == "__main__":
    main()
