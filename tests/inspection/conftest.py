# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A simulation on real sentences, and a figure that is closed after the test."""

import os
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, simulate
from skal.datasets import load_docstrings, make_imbalanced
from skal.filters import RandSub
from skal.strategies import Entropy, RandomSampling


@pytest.fixture(autouse=True)
def close_figures():
    """No picture of one test is open in the next."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def sentences():
    """X, y, X_test, y_test: sentences about joblib (1, rare) and about skorch (0)."""
    X, y = load_docstrings(["joblib", "skorch"], return_X_y=True, random_state=0)
    is_rare = (y == 0).astype(int)
    X, X_test, y, y_test = train_test_split(
        X, is_rare, stratify=is_rare, random_state=0
    )
    X, y = make_imbalanced(X, y, minority=1, share=0.15, random_state=0)
    return X, y, X_test, y_test


@pytest.fixture(scope="session")
def pipeline():
    """TF-IDF and logistic regression, unfitted."""
    return make_pipeline(
        TfidfVectorizer(), LogisticRegression(C=10, class_weight="balanced")
    )


@pytest.fixture(scope="session")
def table(sentences, pipeline):
    """Three learners, three seeds, four rounds of ten."""
    learners = {
        "entropy": ActiveLearner(pipeline, Entropy()),
        "RandSub(entropy)": ActiveLearner(pipeline, RandSub(max_subpool=60)),
        "random": ActiveLearner(pipeline, RandomSampling()),
    }
    return simulate(
        learners,
        {"docstrings": sentences},
        n_rounds=6,
        n_queries=10,
        initial={0: 15, 1: 3},
        seeds=3,
        scoring=["f1", "accuracy"],
    )


@pytest.fixture(scope="session")
def save():
    """A function that saves a figure where SKAL_PICTURES says, to be looked at."""

    def save(figure, name):
        figure.canvas.draw()
        if folder := os.environ.get("SKAL_PICTURES"):
            figure.savefig(Path(folder, f"{name}.png"), dpi=100)

    return save
