# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""ALPS beside one plain pass of its encoder; the memory of ALPS, AcTune and DAL.

    python benchmarks/alps.py --data DIR --model CHECKPOINT [--out FOLDER]

`--data` is a folder that holds agnews/train.parquet, CHECKPOINT a BERT with its
masked-language-model head. Timed are the first batch of ALPS, from texts to rows, and
one of a later round; a bare loop that does no more than tokenise the texts and run the
encoder over them, sorted by length; and the same loop with the head on every token,
whose surprisal of the tokens that ALPS drew must be the same. No model is loaded while
the clock runs. The memory is that of one batch of 100 out of 100,000 rows beside what
the classifier says of them, on Linux only. On a machine that is busy use
``--clock cpu --threads 1``.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from transformers import AutoModelForMaskedLM, AutoTokenizer
from turns import CLOCKS, Report, in_turns, stopwatch

from skal import TransformerClassifier
from skal.base import PoolView
from skal.strategies import ALPS

OURS, LATER = "ALPS, first batch", "ALPS, a later round"
PLAIN, WHOLE_HEAD = "encoder alone", "head on every token"
BATCH_TOKENS = 2048

MEASURE = """
import json, sys
import numpy as np
from skal.base import PoolView
from skal.strategies import ALPS, AcTune, DiscriminativeAL

def memory(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if what in line) / 1e3

class Says:
    classes_ = np.arange(77)

    def __init__(self, told):
        self.told = told

    def predict_outputs(self, X, outputs):
        start = int(X[0, 0])
        return {name: self.told[name][start : start + len(X)] for name in outputs}

    def token_surprisal(self, X, *args, **kwargs):
        return self.told["surprisal"][: len(X)]

n, name = int(sys.argv[1]), sys.argv[2]
strategy = {
    "ALPS": ALPS(),
    "AcTune": AcTune(),
    "AcTune, contrastive": AcTune(uncertainty="contrastive"),
    "DAL": DiscriminativeAL(device="cpu", n_sub_batches=2, max_epochs=2),
}[name]
rng = np.random.default_rng(0)
told = {}
if name == "ALPS":
    told["surprisal"] = rng.gamma(1.0, size=(n, 128)).astype(np.float32)
    told["surprisal"] *= rng.random((n, 128), dtype=np.float32) < 0.15
else:
    told["embedding"] = rng.standard_normal((n + 200, 384), dtype=np.float32)
    if "proba" in strategy.reads.pool:
        told["proba"] = rng.dirichlet(np.ones(77), n + 200)
X = np.arange(n + 200.0)[:, None]

def query(n):
    labeled = X[-200:], np.zeros(200), np.zeros(200, dtype=int)
    pool = [str(row) for row in range(n)] if name == "ALPS" else X[:n]
    says = Says(told)
    view = PoolView(
        pool, estimator=says, classes=says.classes_, labeled=labeled,
        language_model=says, reads=strategy.reads,
    )
    return lambda: strategy._query(view, 100)

query(2000)()  # the threads' own buffers
run = query(n)
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = memory("VmRSS")
run()
inputs = sum(array.nbytes for array in told.values()) / 1e6
print(json.dumps([inputs, memory("VmHWM") - before]))
"""


def batches(texts, tokenizer, max_length):
    """Rows and inputs, sorted by length, 2,048 padded tokens at a time."""
    settings = {"truncation": True, "max_length": max_length}
    encoded = tokenizer(texts, return_attention_mask=False, **settings)["input_ids"]
    order = np.argsort([len(ids) for ids in encoded], kind="stable")[::-1]
    start = 0
    while start < len(order):
        longest = len(encoded[order[start]])
        rows = order[start : start + max(1, BATCH_TOKENS // longest)]
        inputs = tokenizer.pad(
            {"input_ids": [encoded[row] for row in rows]}, return_tensors="pt"
        )
        yield rows, inputs
        start += len(rows)


@torch.inference_mode()
def run_plainly(network, texts, tokenizer, max_length, visit):
    for rows, inputs in batches(texts, tokenizer, max_length):
        visit(rows, inputs, network(**inputs))


def first_batch(texts, classifier, n_queries):
    """A view of texts not seen yet, whose first batch is picked; the classifier is not
    fitted."""
    view = PoolView(texts, language_model=classifier)
    return view, ALPS()._query(view, n_queries)


def compare(report, args):
    frame = pd.read_parquet(Path(args.data) / "agnews" / "train.parquet")
    texts = frame["text"].tolist()[: args.rows]
    classifier = TransformerClassifier(
        args.model, max_length=args.max_length, device="cpu"
    )
    classifier.token_surprisal(texts[:64])  # loads the model
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    network = AutoModelForMaskedLM.from_pretrained(args.model).eval()
    view, _ = first_batch(texts, classifier, args.n_queries)
    drawn = view.surprisal()
    largest = []

    def with_head(rows, inputs, outputs):
        surprisal = -outputs.logits.log_softmax(dim=2)
        surprisal = surprisal.gather(2, inputs["input_ids"][:, :, None])[:, :, 0]
        ours = drawn[rows, : surprisal.shape[1]]
        largest.append(np.abs((surprisal.numpy() - ours)[ours > 0]).max(initial=0))

    def later_round():
        view.round = 1
        return ALPS()._query(view, args.n_queries)

    def plain(network, visit):
        return run_plainly(network, texts, tokenizer, args.max_length, visit)

    contenders = {
        OURS: lambda: first_batch(texts, classifier, args.n_queries),
        PLAIN: lambda: plain(network.base_model, lambda *_: None),
        WHOLE_HEAD: lambda: plain(network, with_head),
        LATER: later_round,
    }
    seconds, _ = in_turns(
        {
            name: lambda function=function: stopwatch(args.clock, function)
            for name, function in contenders.items()
        },
        args.repeats,
    )
    case = f"{len(texts)} texts of AG News, {args.n_queries} rows"
    # Within 1.5 times the encoder's time.
    report.add("ALPS", case, seconds, against=OURS, targets={PLAIN: 1 / 1.5})
    report.check("surprisals with the head on all tokens", max(largest), 1e-3)


def measure_memory(args):
    for name in ("ALPS", "AcTune", "AcTune, contrastive", "DAL"):
        found = subprocess.run(
            [sys.executable, "-c", MEASURE, str(args.memory_rows), name],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
        )
        inputs, extra = json.loads(found.stdout)
        print(f"{name:20}{inputs:8.0f} MB read, {extra:.0f} MB beside it", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--memory-rows", type=int, default=100_000)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = Report(["torch", "transformers", "faiss-cpu"], **vars(args))
    with threadpool_limits(args.threads):
        compare(report, args)
    measure_memory(args)
    if args.out:
        report.save(args.out, "alps")


if __name__ == "__main__":
    main()
