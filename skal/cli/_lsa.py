# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Singular vectors of few rows as of many."""

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.extmath import randomized_svd


class LSA(TransformerMixin, BaseEstimator):
    """Latent semantic analysis that takes fewer components where there are fewer.

    Parameters
    ----------
    n_components : int, default=100
        At most so many.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    components_ : ndarray of shape (at most n_components, n_features)
    """

    def __init__(self, n_components=100, *, random_state=None):
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the components of X, a sparse matrix."""
        n_components = min(self.n_components, *X.shape)
        _, _, self.components_ = randomized_svd(
            X, n_components, random_state=self.random_state
        )
        return self

    def transform(self, X):
        """X on the components, dense."""
        return X @ self.components_.T
