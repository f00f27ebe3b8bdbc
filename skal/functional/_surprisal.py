# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Surprisal embeddings."""

import numpy as np


def surprisal_embedding(token_surprisal, picked=None, *, dtype=np.float64):
    """Turn the surprisal of picked tokens into vectors of length 1.

    Parameters
    ----------
    token_surprisal : ndarray of shape (n, L)
        ``-log p(token | text)`` of the j-th token of a text in column j.
    picked : ndarray of bool of shape (n, L), default=None
        The tokens that count. None: all, which is right where those not picked have
        surprisal 0 already.
    dtype : dtype, default=float64
        Of what is returned, and of the arithmetic.

    Returns
    -------
    embedding : ndarray of shape (n, L)
        Rows of euclidean length 1; a row without a picked token is all zero.

    Notes
    -----
    O(n L) time; memory is what is returned.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> import numpy as np
    >>> from skal.functional import surprisal_embedding
    >>> surprisal_embedding(np.array([[3.0, 9.0, 4.0], [1.0, 1.0, 1.0]]),
    ...                     picked=np.array([[1, 0, 1], [0, 0, 0]], dtype=bool))
    array([[0.6, 0. , 0.8],
           [0. , 0. , 0. ]])
    """
    vectors = np.array(token_surprisal, dtype=dtype)
    if picked is not None:
        vectors[~np.asarray(picked, dtype=bool)] = 0.0
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.divide(vectors, lengths, out=vectors, where=lengths > 0)
