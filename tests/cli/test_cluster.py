# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Commands on a Dask cluster of two workers, one of which dies."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pandas as pd
import pytest

CONFIG = """\
strategies = ["Entropy", "RandomSampling", "LeastConfidence"]
filters = ["none", {name = "AnchorAL", max_subpool = 60}]
rounds = 3
n_queries = 10
seeds = 2

[data.texts]
path = "texts.jsonl"
"""

# The cluster lives in a process of its own: pytest turns its warnings into errors.
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


def read(folder):
    lines = (folder / "table.jsonl").read_text().splitlines()
    frame = pd.DataFrame([json.loads(line) for line in lines])
    return frame.drop(columns=[name for name in frame if name.endswith("_time")])


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and the processes of its two workers."""
    pytest.importorskip("distributed", reason="the package distributed is missing")
    script = tmp_path / "cluster.py"
    script.write_text(textwrap.dedent(CLUSTER))
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    address, *pids = process.stdout.readline().split()
    yield address, [int(pid) for pid in pids]
    process.communicate("", timeout=60)


@pytest.mark.slow
def test_a_worker_of_a_cluster_dies(cluster, write, tmp_path, start, wait_for):
    address, pids = cluster
    write("texts.jsonl", slice(500), ["text", "label"])
    config = tmp_path / "compare.toml"
    config.write_text(CONFIG)
    here, there = tmp_path / "here", tmp_path / "there"
    with start("compare", config, "-o", here) as process:
        assert process.communicate()[1] == ""
    process = start("compare", config, "-o", there, "--dask", address)
    wait_for(process, there, 6)
    os.kill(pids[0], signal.SIGKILL)
    done = len(list((there / "runs").glob("*.jsonl")))
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert 6 <= done < 12
    assert len(read(here)) == 6 * 2 * 4
    assert read(there).equals(read(here))


@pytest.mark.slow
def test_the_same_bytes_though_a_worker_dies(cluster, write, tmp_path, start):
    address, pids = cluster
    texts = write("texts.csv", slice(500), ["text"])
    stores, rows = (tmp_path / "here", tmp_path / "there"), ["--shard-rows", 10]
    with start("embed", texts, "-o", stores[0], *rows) as process:
        assert process.communicate()[1] == ""
    process = start("embed", texts, "-o", stores[1], *rows, "--dask", address)
    while len(list(stores[1].glob("shards/*.npy"))) < 6:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(pids[0], signal.SIGKILL)
    done = len(list(stores[1].glob("shards/*.npy")))
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert 6 <= done < 50
    assert "50, of which" in printed
    files = [next(store.glob("vectors-*.npy")) for store in stores]
    assert files[0].name == files[1].name
    assert files[0].read_bytes() == files[1].read_bytes()
    indexes = tmp_path / "index"
    options = ["-o", indexes, "--shards", 2, "--dask", address]
    with start("index", stores[1], *options) as process:
        assert "250 vectors, exact" in process.communicate()[0]


def test_without_dask(write, tmp_path, invoke, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    path = write("texts.jsonl", slice(60), ["text", "label"])
    output = tmp_path / "out"
    result = invoke("simulate", path, "--dask", "tcp://nowhere:1", "-o", output)
    fails(result, 1, "pip install 'skal[dask]'")
    assert not output.exists()
