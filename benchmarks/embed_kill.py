# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool embedded once: killed twice, and on a cluster that loses a worker.

    python benchmarks/embed_kill.py --data DIR --model CHECKPOINT --work FOLDER

takes 100,000 different real texts from the Parquet files in DIR and runs ``skal embed``
on them: undisturbed; killed (SIGKILL) after a third and after two thirds of the shards,
and repeated; and on a Dask cluster of two workers, one of which is killed half way
(left out where the package distributed is missing). Wanted: the same bytes each time,
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
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from turns import Report

from skal.text import load_vectors

COMMAND = [sys.executable, "-c", "from skal.cli import main; main()", "embed"]
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


def undisturbed(run):
    seconds, peak, total, computed = run("undisturbed").end()
    again, _, _, computed_again = run("undisturbed").end()
    figures = {"seconds": seconds, "peak_mb": peak, "again_seconds": again}
    return figures | {"shards": total, "computed": computed, "again": computed_again}


def killed(run, total):
    found = []
    for share in (1 / 3, 2 / 3):
        started = run("killed")
        before = started.n_shards()
        started.wait_for(max(round(share * total), before + 1))
        found.append(started.kill())
    seconds, peak, shards, computed = run("killed").end()
    figures = {"seconds": seconds, "peak_mb": peak, "after_kills": str(found)}
    return figures | {"shards": shards, "computed": computed, "found": found[-1]}


def on_a_cluster(run, total, folder):
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    cluster = subprocess.Popen(
        [sys.executable, script], stderr=subprocess.DEVNULL, text=True, **pipes
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
    return figures | {"shards": shards, "computed": computed}


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
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    texts = args.work / "texts.parquet"
    write_texts(args.data, args.sets, args.rows, texts)
    fixed = ["--model", args.model, "--dtype", args.dtype, "--jobs", args.jobs]

    def run(name, *arguments):
        return Run(texts, args.work / name, [*fixed, *arguments])

    for name in ("undisturbed", "killed", "cluster"):
        shutil.rmtree(args.work / name, ignore_errors=True)
    packages = ["numpy", "torch", "transformers", "joblib"]
    report = Report(
        [*packages, *(["distributed"] if find_spec("distributed") else [])],
        **vars(args),
    )
    rows = {"undisturbed": undisturbed(run)}
    total = rows["undisturbed"]["shards"]
    rows["killed"] = killed(run, total)
    if find_spec("distributed"):
        rows["cluster"] = on_a_cluster(run, total, args.work)
    expected = content(args.work / "undisturbed")
    for name, row in rows.items():
        row["same_bytes"] = content(args.work / name) == expected
        report.rows.append({"run": name, "texts": args.rows, **row})
    print(pd.DataFrame(report.rows).to_string(index=False))
    if args.out is not None:
        report.save(args.out, "embed_kill")
    first, second = rows["undisturbed"], rows["killed"]
    counted = first["again"] == 0 and second["computed"] == total - second["found"]
    sys.exit(not (counted and all(row["same_bytes"] for row in rows.values())))


if __name__ == "__main__":
    main()
