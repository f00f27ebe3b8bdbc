# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Surprisal embeddings."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import surprisal_embedding

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "alps").glob("*.npz"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_agrees_with_the_authors_code(path):
    data = np.load(path)
    embedding = surprisal_embedding(
        data["surprisal_all_tokens"], data["token_chosen_mask"]
    )
    np.testing.assert_allclose(embedding, data["surprisal_l2norm"], rtol=1e-5)
    np.testing.assert_allclose(
        surprisal_embedding(data["surprisal"]), embedding, rtol=1e-5
    )
    assert (embedding == 0).all(axis=1).sum() == data["n_zero_vectors"]


def test_by_hand_and_the_input_is_left_alone():
    surprisal = np.array([[3, 7, 4], [0, 0, 0], [2, 0, 0]], dtype=np.float32)
    before = surprisal.copy()
    picked = np.array([[1, 0, 1], [1, 1, 1], [1, 0, 1]], dtype=bool)
    embedding = surprisal_embedding(surprisal, picked)
    np.testing.assert_allclose(embedding, [[0.6, 0, 0.8], [0, 0, 0], [1, 0, 0]])
    assert embedding.dtype == np.float64
    np.testing.assert_array_equal(surprisal, before)
