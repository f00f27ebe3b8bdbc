# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""simulate on a Dask cluster of two workers, one of which dies."""

import subprocess
import sys
import textwrap

import pandas as pd
import pytest

SCRIPT = """
    import os, signal, sys, threading, time
    from pathlib import Path

    import joblib
    from distributed import Client, LocalCluster
    from sklearn.datasets import make_blobs
    from sklearn.linear_model import LogisticRegression
    from skal import ActiveLearner, NoisyOracle, simulate
    from skal.filters import AnchorAL
    from skal.strategies import Entropy, RandomSampling


    class Slow(LogisticRegression):
        def fit(self, X, y):
            time.sleep(0.1)
            return super().fit(X, y)


    def kill_half_way(client, runs, killed):
        while len(list(runs.glob("*.jsonl"))) < 6:
            time.sleep(0.01)
        pid = list(client.run(os.getpid).values())[0]
        os.kill(pid, signal.SIGKILL)
        killed.append((pid, len(list(runs.glob("*.jsonl")))))


    def main(folder, where):
        X, y = make_blobs(900, centers=3, cluster_std=2.0, random_state=0)
        X = X @ [[1.0, 0.5] * 200, [0.0, 1.0] * 200]  # of 1.6 MB
        learners = {
            "entropy": ActiveLearner(Slow(), Entropy()),
            "anchoral": ActiveLearner(Slow(), AnchorAL()),
            "random": ActiveLearner(Slow(), RandomSampling()),
        }
        call = dict(n_rounds=4, n_queries=10, seeds=4, scoring=["accuracy", "f1_macro"],
                    oracle=NoisyOracle(noise=0.1, abstention=0.1), folder=folder)
        data = X[:500], y[:500], X[500:], y[500:]
        if where == "here":
            simulate(learners, data, **call)
            return
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                               dashboard_address=None)
        with cluster, Client(cluster) as client:
            pids, killed = set(client.run(os.getpid).values()), []
            arguments = client, Path(folder) / "runs", killed
            killer = threading.Thread(target=kill_half_way, args=arguments)
            killer.start()
            with joblib.parallel_config(backend="dask"):
                simulate(learners, data, **call)
            killer.join()
            assert len(pids) == 2
            assert killed[0][0] in pids
            assert 6 <= killed[0][1] < 12, killed
            print("killed", *killed[0], flush=True)


    if __name__ == "__main__":
        main(*sys.argv[1:])
"""


@pytest.mark.slow
def test_a_worker_of_a_cluster_dies(tmp_path):
    pytest.importorskip("distributed", reason="the package distributed is missing")
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    tables = {}
    for where in ("here", "cluster"):
        folder = tmp_path / where
        process = subprocess.run(
            [sys.executable, script, folder, where],
            stdout=subprocess.PIPE,
            text=True,
            timeout=600,
        )
        assert process.returncode == 0
        assert ("killed" in process.stdout) == (where == "cluster")
        table = pd.read_json(folder / "table.jsonl", lines=True)
        seconds = [name for name in table if name.endswith("_time")]
        tables[where] = table.drop(columns=seconds)
        assert len(table) == 3 * 4 * 5
        assert not list(folder.rglob("*.tmp")) or where == "cluster"
    assert tables["here"].equals(tables["cluster"])
