# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How long VAAL and MAL take to pick from cached embeddings, and where they pick.

The rows lie in ten clusters of as many features, turned into 384 by a random matrix,
with noise. Some are labelled, all of them of five clusters: "new" is the share of a
batch that comes from the other five, beside their share in the pool. A query is all
there is: the networks' training and the look at the pool; the limit is a minute. Run it
as

    OMP_NUM_THREADS=1 python benchmarks/adversarial.py --threads 1 [--clock cpu] \
        [--out FOLDER]

The networks are small: where other processes want the cores too, several threads wait
for each other far longer than they work, unless OMP_WAIT_POLICY is "passive".
"""

import argparse
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from turns import CLOCKS, Report, in_turns, stopwatch

from skal.base import PoolView
from skal.strategies import MAL, VAAL, RandomSampling

LIMIT = 60.0  # seconds
N_CLUSTERS = 10


class Says:
    """A classifier whose embedding is X."""

    def predict_outputs(self, X, outputs):
        return dict.fromkeys(outputs, X)


def rows_in_clusters(args, rng):
    """Vectors, and the cluster of each."""
    cluster = rng.integers(N_CLUSTERS, size=args.rows)
    inner = rng.normal(size=(args.rows, N_CLUSTERS))
    inner[np.arange(args.rows), cluster] += args.distance
    X = inner @ rng.normal(size=(N_CLUSTERS, args.dimensions))
    X += rng.normal(size=X.shape)
    return X.astype(np.float32), cluster


def case_of(args, seed):
    """What a strategy sees, and which pool rows are of a cluster without a label."""
    rng = np.random.default_rng(seed)
    X, cluster = rows_in_clusters(args, rng)
    known = np.flatnonzero(cluster < N_CLUSTERS // 2)
    labeled = rng.choice(known, args.n_labeled, replace=False)
    pool = np.setdiff1d(np.arange(args.rows), labeled)
    y = cluster[labeled]
    view = PoolView(
        X[pool],
        labeled=(X[labeled], y, np.zeros(len(labeled), dtype=int)),
        estimator=Says(),
        classes=np.unique(y),
    )
    return view, cluster[pool] >= N_CLUSTERS // 2


def compare_picks(args, strategies):
    """Where each picks, seed by seed."""
    print(
        f"\nnew, by seed{'in the pool':>20}" + "".join(f"{s:>16}" for s in strategies)
    )
    for seed in range(args.seeds):
        view, new = case_of(args, seed)
        line = f"{seed:12}{new.mean():16.2f}"
        for cls in strategies.values():
            rows = cls(random_state=seed)._query(view, args.n_queries)
            line += f"{new[rows].mean():16.2f}"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--distance", type=float, default=4.0)
    parser.add_argument("--n-labeled", type=int, default=500)
    parser.add_argument("--n-queries", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--out")
    args = parser.parse_args()
    report = Report(["numpy", "torch"], **vars(args))
    torch.set_num_threads(args.threads)
    games = {
        cls.__name__: partial(cls, device="cpu", random_state=0) for cls in (VAAL, MAL)
    }
    with threadpool_limits(args.threads):
        view, _ = case_of(args, 0)
        seconds, _ = in_turns(
            {
                name: partial(stopwatch, args.clock, make()._query, view, 50)
                for name, make in games.items()
            },
            args.repeats,
        )
        case = f"{args.n_labeled} of {args.rows} x {args.dimensions} labelled"
        for name, taken in seconds.items():
            report.add(
                "query",
                f"{name}, {case}",
                {name: taken, "limit": [LIMIT] * args.repeats},
                against=name,
                targets={"limit": 1},
            )
        compare_picks(args, {**games, "RandomSampling": RandomSampling})
    if args.out:
        report.save(args.out, "adversarial")


if __name__ == "__main__":
    main()
