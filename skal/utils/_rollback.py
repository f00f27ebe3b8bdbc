# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A `fit` that fails leaves the estimator as it was."""

import contextlib


@contextlib.contextmanager
def as_before_on_error(estimator):
    """Give an estimator back the attributes it had if the block raises anything.

    The attributes themselves are not copied: the block may replace them, not change
    them in place.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
