# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool embedded once: killed twice, and on a cluster that loses a worker.

    python benchmarks/embed_kill.py --data DIR --model CHECKPOINT --work FOLDER

takes 100,000 different real texts from the Parquet files in DIR and runs ``skal embed``
on them: undisturbed; killed (SIGKILL) after a third and after two thirds of the shards,
and repeated; and on a Dask cluster of two workers, one of which is killed half way
(``--runs undisturbed killed`` leaves that out). Wanted: the same bytes each time,
and no shard computed that was there. The exit code is 1 if that fails. FOLDER gets
texts and stores; ``--out`` the figures.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from turns import Report

from skal.text import load_vectors

COMMAND = [sys.executable, "-c", "from skal.cli import main; main()", "embed"]
# A worker that finds no time to answer, on a machine with other work, is no dead one.
PATIENT = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "600s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "600s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "3600s",
}
CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                      dashboard_address=None) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]
        print(cluster.scheduler_address, *pids, flush=True)
        sys.stdin.read()
"""


def write_texts(data, sets, n_rows, path):
    """The first different texts of the sets, in a Parquet file."""
    texts = {}
    for name in sets:
        for split in sorted((data / name).glob("*.parquet")):
            texts |= dict.fromkeys(pd.read_parquet(split)["text"])
    if len(texts) < n_rows:
        raise SystemExit(f"{data} holds {len(texts)} different texts, too few.")
    pd.DataFrame({"text": list(texts)[:n_rows]}).to_parquet(path)


class Run:
    """One process of ``skal embed``, timed, and its peak of memory."""

    def __init__(self, texts, store, arguments):
        self.store = store
        command = [*COMMAND, str(texts), "-o", str(store), *map(str, arguments)]
        self.start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def wait_for(self, n_shards):
        while self.n_shards() < n_shards:
            if self.process.poll() is not None:
                raise SystemExit(f"It ended too early: {self.process.returncode}.")
            time.sleep(0.01)

    def n_shards(self):
        return len(list(self.store.glob("shards/*.npy")))

    def kill(self):
        """Kill it; return how many shards there are once its workers have noticed."""
        self.process.kill()
        self.process.wait()
        found = None
        while found != self.n_shards():
            found = self.n_shards()
            time.sleep(5)
        return found

    def end(self):
        """(seconds, peak of memory in MB, shards in all, shards computed)"""
        output = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        if status:
            raise SystemExit(f"It failed: {output}")
        found = re.search(r"Shards: (\d+), of which (\d+) were", output)
        seconds = time.perf_counter() - self.start
        return seconds, usage.ru_maxrss / 1024, *map(int, found.groups())


def undisturbed(run, total, _):
    seconds, peak, _, computed = run("undisturbed").end()
    again, _, _, computed_again = run("undisturbed").end()
    figures = {"seconds": seconds, "peak_mb": peak, "again_seconds": again}
    figures |= {"shards": total, "computed": computed, "again": computed_again}
    return figures | {"counted": (computed, computed_again) == (total, 0)}


def killed(run, total, _):
    found = []
    for share in (1 / 3, 2 / 3):
        started = run("killed")
        before = started.n_shards()
        started.wait_for(max(round(share * total), before + 1))
        found.append(started.kill())
    seconds, peak, shards, computed = run("killed").end()
    figures = {"seconds": seconds, "peak_mb": peak, "after_kills": str(found)}
    figures |= {"shards": shards, "computed": computed, "found": found[-1]}
    return figures | {"counted": computed == total - found[-1]}


def on_a_cluster(run, total, folder):
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    os.environ.update(PATIENT)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with open(folder / "cluster.log", "w") as log:
        cluster = subprocess.Popen(
            [sys.executable, script], stderr=log, text=True, **pipes
        )
    try:
        address, *pids = cluster.stdout.readline().split()
        started = run("cluster", "--dask", address)
        started.wait_for(total // 2)
        os.kill(int(pids[0]), signal.SIGKILL)
        at = started.n_shards()
        seconds, peak, shards, computed = started.end()
    finally:
        cluster.communicate("")
    figures = {"seconds": seconds, "peak_mb": peak, "worker_killed_at": at}
    figures |= {"shards": shards, "computed": computed}
    return figures | {"counted": shards == total}


RUNS = {"undisturbed": undisturbed, "killed": killed, "cluster": on_a_cluster}


def content(store):
    return Path(load_vectors(store, verify=True).filename).read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["sst2", "stov", "snips", "trec"])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    texts = args.work / "texts.parquet"
    write_texts(args.data, args.sets, args.rows, texts)
    fixed = ["--model", args.model, "--dtype", args.dtype, "--jobs", args.jobs]

    def run(name, *arguments):
        return Run(texts, args.work / name, [*fixed, *arguments])

    for name in args.runs:
        shutil.rmtree(args.work / name, ignore_errors=True)
    packages = ["numpy", "torch", "transformers", "joblib"]
    packages += ["distributed"] if "cluster" in args.runs else []
    report = Report(packages, **vars(args))
    total = -(-args.rows // 2048)
    for name in args.runs:
        row = {"run": name, "texts": args.rows, **RUNS[name](run, total, args.work)}
        expected = content(args.work / "undisturbed")
        row["same_bytes"] = content(args.work / name) == expected
        print(row, flush=True)
        report.rows.append(row)
    print(pd.DataFrame(report.rows).to_string(index=False))
    if args.out is not None:
        report.save(args.out, "embed_kill")
    sys.exit(not all(row["same_bytes"] and row["counted"] for row in report.rows))


if __name__ == "__main__":
    main()
