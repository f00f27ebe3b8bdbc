# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What to measure about an active-learning run."""

from skal.metrics._learning_curve import (
    learning_curve_auc,
    make_learning_curve_scorer,
)

__all__ = ["learning_curve_auc", "make_learning_curve_scorer"]
