# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small real problem for the learner: three classes of points, and of sentences."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs


@pytest.fixture(scope="session")
def points():
    """300 points in the plane, labels "a", "b", "c", ids "row 0", ..."""
    X, codes = make_blobs(300, centers=3, cluster_std=2.0, random_state=0)
    return X, np.array(["a", "b", "c"])[codes], [f"row {i}" for i in range(300)]
