# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BatchBALD beside a search that looks at every row and scikit-activeml's.

The contenders get the same samples in the same run, take turns in an order drawn anew
for each repeat, and are given by the median of their seconds: of the wall clock, or of
the processor's own on a machine that is shared (`--clock process_time --threads 1`).
Run it as

    python benchmarks/batch_bald.py [--peer ENV/bin/python] [--out FOLDER]

"every row" is the same greedy search without bounds: each row's gain, for each pick.
`--peer` is the Python of an environment with scikit-activeml, which takes its turn at
20,000 rows and 4 classes. While C to the power of
the rows picked is at most `--configurations`, all must pick the same rows, which is
checked; beyond, each draws in its own way. Arrays: "logits" are those of a classifier
that is surer of some rows than of others, "uniform" draws each sample from the simplex,
which leaves bounds little to skip. The memory is measured on Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits
from turns import Report, in_turns

from skal.functional import bald, batch_bald
from skal.functional._batch_bald import _Configurations

# The other library's environment has no skal: what it runs stands here as text.
WORKER = """
import sys, time
import numpy as np
from skactiveml.pool._bald import batch_bald

samples = np.load(sys.argv[1])
clock = getattr(time, sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    n_queries, configurations = map(int, line.split())
    start = clock()
    found = batch_bald(samples, n_queries, configurations, random_state=0)
    seconds = clock() - start
    print(seconds, *np.nanargmax(found, axis=1), flush=True)
"""

MEASURE = """
import sys
import numpy as np
from skal.functional import batch_bald

def memory(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if what in line) / 1e3

samples = np.load(sys.argv[1])
batch_bald(samples[:, :2000], 3)  # the threads' own buffers
samples.sum()
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = memory("VmRSS")
batch_bald(
    samples, int(sys.argv[2]), max_configurations=int(sys.argv[3]), random_state=0
)
print(memory("VmHWM") - before, memory("VmHWM"))
"""


def every_row(samples, n_queries, size):
    """The greedy search without bounds."""
    picked = _Configurations(samples, size, np.random.RandomState(0))
    gains, rows = bald(samples), []
    while True:
        gains[rows] = -np.inf
        rows.append(int(np.argmax(gains)))
        if len(rows) == n_queries:
            return rows
        picked.add(rows[-1])
        blocks = np.array_split(np.arange(len(gains)), len(gains) // 64)
        gains = np.concatenate([picked.gains(block) for block in blocks])


class Peer:
    """scikit-activeml in its own environment, fed the same samples through a file."""

    def __init__(self, file, args):
        self.process = subprocess.Popen(
            [args.peer, "-c", WORKER, file, args.clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
        )
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, n_queries, size):
        self.process.stdin.write(f"{n_queries} {size}\n")
        self.process.stdin.flush()
        seconds, *rows = self.process.stdout.readline().split()
        return float(seconds), [int(row) for row in rows]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def samples_of(kind, n_rows, n_classes, n_samples):
    rng = np.random.default_rng(0)
    if kind == "uniform":
        return rng.dirichlet(np.ones(n_classes), (n_samples, n_rows))
    shared = rng.normal(scale=2, size=(n_rows, n_classes))
    return softmax(shared + rng.normal(size=(n_samples, n_rows, n_classes)), axis=2)


def compare(report, kind, shape, args):
    n_rows, n_classes, n_samples = shape
    samples, clock = samples_of(kind, *shape), getattr(time, args.clock)
    n, size = args.n_queries, args.configurations

    def timed(function, *more, **options):
        start = clock()
        rows = function(samples, n, *more, **options)
        return clock() - start, list(rows)

    contenders = {
        "skal": lambda: timed(batch_bald, max_configurations=size, random_state=0),
    }
    with_others = (n_rows, n_classes) == (20_000, 4)
    if with_others:
        contenders["every row"] = lambda: timed(every_row, size)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "samples.npy")
        np.save(file, samples)
        peer = Peer(file, args) if args.peer and with_others else None
        if peer is not None:
            contenders["scikit-activeml"] = lambda: peer(n, size)
        batch_bald(samples[:, :2000], 3)  # wake the threads
        seconds, picks = in_turns(contenders, args.repeats)
        if peer is not None:
            peer.close()
        extra, peak = memory(file, args)
    case = f"{kind} {n_rows} x {n_classes}, {n_samples} samples, batch {n}"
    targets = {"scikit-activeml": 6}
    report.add("batch_bald", case, seconds, against="skal", targets=targets)
    exact = 1 + int(np.log(size) / np.log(n_classes))
    differ = sum(rows[:exact] != list(picks["skal"])[:exact] for rows in picks.values())
    report.check(f"{case}: picks while exact, the first {exact},", differ, 0)
    print(
        f"memory of skal: {extra:.0f} MB beside the {samples.nbytes / 1e6:.0f} MB of "
        f"samples, {peak:.0f} MB in all"
    )


def memory(file, args):
    sizes = str(args.n_queries), str(args.configurations)
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, file, *sizes],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
    )
    return map(float, found.stdout.split())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer")
    parser.add_argument("--out")
    parser.add_argument("--n-queries", type=int, default=10)
    parser.add_argument("--configurations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    clocks = ["perf_counter", "process_time"]
    parser.add_argument("--clock", choices=clocks, default="perf_counter")
    args = parser.parse_args()
    report = Report(["numpy", "scikit-learn"], **vars(args))
    with threadpool_limits(args.threads):
        compare(report, "logits", (20_000, 4, 20), args)
        compare(report, "uniform", (20_000, 4, 20), args)
        compare(report, "logits", (20_000, 77, 20), args)
        compare(report, "logits", (100_000, 4, 20), args)
    if args.out:
        report.save(args.out, "batch_bald")


if __name__ == "__main__":
    main()
