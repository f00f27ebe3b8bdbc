# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The steps of `TransformerClassifier.fit`; the classifier is read, never changed."""

import copy
import math

import numpy as np

from skal.utils._validation import check_classes, check_known_labels


def fit_classes(clf, y):
    """The sorted label vocabulary of a fit, every label of y in it."""
    classes = np.unique(y) if clf.classes is None else check_classes(clf.classes)
    if continues(clf):
        _check_kept_classes(clf, {*np.unique(y).tolist(), *classes.tolist()})
        return clf.classes_
    check_known_labels(y, classes.tolist())
    if len(classes) < 2:
        raise ValueError(
            f"{type(clf).__name__} needs at least two classes. Got one class: "
            f"{classes.tolist()}; add rows of another class, or name all classes that "
            "may occur in the parameter `classes`."
        )
    return classes


def continues(clf):
    """Whether `fit` goes on from the weights that the classifier has."""
    return clf.warm_start and hasattr(clf, "net_")


def _check_kept_classes(clf, labels):
    kept = clf.classes_.tolist()
    new = sorted(labels.difference(kept), key=str)
    if new:
        raise ValueError(
            f"warm_start=True keeps the classes of the first fit, {kept}. Got {new}; "
            "name every class in `classes` before the first fit, or fit anew with "
            "warm_start=False."
        )


def load(clf, n_classes):
    """The tokenizer and the module that training starts from.

    The head of a checkpoint that has none of this size is random: seed torch before.
    """
    from skal import neural

    if continues(clf):
        return clf.tokenizer_, copy.deepcopy(clf.net_.module_)
    tokenizer = neural.load_tokenizer(clf.model, verbose=clf.verbose)
    module = neural.load_sequence_classifier(
        clf.model,
        n_classes,
        pad_token_id=tokenizer.pad_token_id,
        verbose=clf.verbose,
    )
    if module.is_decoder:  # its positions count from the first token of a batch's row
        tokenizer.padding_side = "right"
    return tokenizer, module


def planned_epochs(clf, n_rows):
    """How many epochs a classifier trains: `max_epochs`, or what `min_steps` takes."""
    steps_per_epoch = math.ceil(n_rows / clf.batch_size)
    needed = math.ceil(getattr(clf, "min_steps", 0) / steps_per_epoch)
    return max(clf.max_epochs, needed)


def build_net(clf, module, n_rows, n_classes, device, recipe):
    """An untrained net that runs at least `max_epochs` epochs and `min_steps` steps."""
    from skal import neural

    n_epochs = planned_epochs(clf, n_rows)
    neural.set_compiled(module, clf.compile)
    silent = {} if clf.verbose else {"callbacks__print_log": None}
    return neural.TransformerNet(
        module,
        n_steps=n_epochs * math.ceil(n_rows / clf.batch_size),
        classes=np.arange(n_classes),
        max_epochs=n_epochs,
        lr=clf.lr,
        batch_size=clf.batch_size,
        weight_decay=clf.weight_decay,
        warmup_ratio=clf.warmup_ratio,
        lr_schedule=clf.lr_schedule,
        max_grad_norm=clf.max_grad_norm,
        mixed_precision=clf.mixed_precision,
        recipe=recipe,
        store_dtype=clf.store_dtype,
        device=str(device),
        callbacks=copy.deepcopy(list(clf.callbacks or [])),
        verbose=int(clf.verbose),
        **silent,
    )


def completed_epochs(net):
    """The history of a trained net as plain dicts; an unfinished epoch is left out."""
    return [
        {
            "epoch": epoch["epoch"],
            "train_loss": float(epoch["train_loss"]),
            "seconds": float(epoch["dur"]),
        }
        for epoch in net.history
        if "train_loss" in epoch
    ]
