# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How well vectors fall into clusters."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from skal.functional import surprisal_embedding
from skal.metrics import cluster_silhouette


def blobs(cluster_std, n=120):
    return make_blobs(n, centers=4, cluster_std=cluster_std, random_state=0)


def test_of_clusters_that_are_plain_it_is_scikit_learns():
    X, y = blobs(0.05)
    silhouette = cluster_silhouette(X, 4, random_state=0)
    assert silhouette == pytest.approx(silhouette_score(X, y), abs=1e-5)
    assert silhouette > 0.9


def test_by_hand():
    # a = 1 and b = 9.5 or 10.5 of the inner and outer rows.
    X = [[0.0], [1.0], [10.0], [11.0]]
    by_hand = np.mean([1 - 1 / 10.5, 1 - 1 / 9.5])
    assert cluster_silhouette(X, 2, random_state=0) == pytest.approx(by_hand)


def test_it_is_larger_the_further_clusters_are_apart():
    stds = (0.1, 0.5, 1.0, 3.0)
    values = [cluster_silhouette(blobs(std)[0], 4, random_state=0) for std in stds]
    assert values == sorted(values, reverse=True)
    assert all(-1 <= value <= 1 for value in values)


def test_scale_and_place_do_not_matter():
    X, _ = blobs(1.0)
    first = cluster_silhouette(X, 4, random_state=0)
    assert cluster_silhouette(8 * X + 16, 4, random_state=0) == pytest.approx(
        first, abs=1e-4
    )


def test_a_sample_is_near_the_whole():
    X, _ = blobs(1.0, n=900)
    whole = cluster_silhouette(X, 4, random_state=0)
    sample = cluster_silhouette(X, 4, sample_size=300, random_state=0)
    assert sample != whole
    assert sample == pytest.approx(whole, abs=0.1)
    assert cluster_silhouette(X, 4, sample_size=900, random_state=0) == whole


def test_surprisal_against_embeddings_of_real_texts():
    """As ALPS has it: both of the same texts, by the same pretrained model."""
    from skal import TransformerClassifier
    from skal.datasets import load_docstrings

    X, _ = load_docstrings(["joblib", "skorch"], return_X_y=True, random_state=0)
    X = X[:80]
    classifier = TransformerClassifier("skal-tiny", max_length=32, random_state=0)
    surprisal = surprisal_embedding(classifier.token_surprisal(X))
    encoder = classifier.pretrained_encoder().set_params(pooling="cls")
    embedding = encoder.fit_transform(X)
    of_surprisal, of_embedding = (
        cluster_silhouette(vectors, 8, random_state=0)
        for vectors in (surprisal, embedding)
    )
    # 0.38 and 0.04 in the paper, on other texts.
    assert of_surprisal > 0.3
    assert of_embedding < 0.2


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    X, _ = blobs(30.0)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first, again, *others = (
        cluster_silhouette(X, 9, random_state=seed) for seed in (0, 0, 1, 2)
    )
    assert first == again
    assert set(others) != {first}
    cluster_silhouette(X, 9)
    assert np.array_equal(np.random.get_state()[1], state)


def test_bad_input():
    X, _ = blobs(1.0)
    with pytest.raises(ValueError, match="'n_clusters' parameter"):
        cluster_silhouette(X, 1)
    with pytest.raises(ValueError, match="Got 1 clusters in 5 rows"):
        cluster_silhouette(np.zeros((5, 2)), 2)
    with pytest.raises(ValueError, match="Got 3 clusters in 3 rows"):
        cluster_silhouette(np.eye(3), 3)
    with pytest.raises(ValueError, match="Row 2 contains NaN"):
        cluster_silhouette([[0.0], [1.0], [np.nan]], 2)
    with pytest.raises(ValueError, match="embedding must have shape"):
        cluster_silhouette([0.0, 1.0], 2)
    with pytest.raises(ValueError, match="'sample_size' parameter"):
        cluster_silhouette(X, 2, sample_size=2)
