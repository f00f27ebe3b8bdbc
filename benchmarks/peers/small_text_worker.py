# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""small-text's side of a benchmark: runs in its own environment, on request.

A request is one line of JSON on stdin, the answer one line of JSON on stdout. The
process lives on between requests, so that imports and loading are not timed.
"""

import json
import os
import sys
import time
from importlib.metadata import version

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever the libraries print must not look like an answer

import numpy as np  # noqa: E402
import torch  # noqa: E402
from small_text import (  # noqa: E402
    TransformerBasedClassification,
    TransformerModelArguments,
    TransformersDataset,
)
from small_text.base import LABEL_UNLABELED  # noqa: E402


def load(state, checkpoint, n_classes, batch_size, threads):
    torch.set_num_threads(threads)
    clf = TransformerBasedClassification(
        TransformerModelArguments(checkpoint),
        n_classes,
        mini_batch_size=batch_size,
        device="cpu",
    )
    clf.initialize_transformer(None)
    state["clf"] = clf
    names = ("small-text", "transformers", "torch", "numpy")
    return {"versions": {name: version(name) for name in names}}


def predict(state, texts, max_length, proba, clock):
    """From texts to probabilities, as a user of small-text gets them."""
    clf = state["clf"]
    with open(texts) as file:
        texts = json.load(file)
    clock = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
    start = clock()
    dataset = TransformersDataset.from_arrays(
        texts,
        np.full(len(texts), LABEL_UNLABELED),
        clf.tokenizer,
        target_labels=np.arange(clf.num_classes),
        max_length=max_length,
    )
    found = clf.predict_proba(dataset)
    seconds = clock() - start
    np.save(proba, found)
    return {"seconds": seconds}


def main():
    state = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"load": load, "predict": predict}[request.pop("do")](state, **request)
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
