# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What to measure about an active-learning run."""

from skal.metrics._batches import (
    batch_data_map,
    batch_overlap,
    batch_uncertainty,
    token_diversity,
)
from skal.metrics._boundary import boundary_divergence
from skal.metrics._budget_matched import budget_matched_auc
from skal.metrics._errors import error_lift, first_step_loss, sampling_error_rate
from skal.metrics._learning_curve import (
    learning_curve_auc,
    make_learning_curve_scorer,
)
from skal.metrics._minority import minority_discovery, subpool_composition
from skal.metrics._paired_tests import (
    bonferroni,
    paired_bootstrap_test,
    paired_permutation_test,
)
from skal.metrics._ranks import friedman_nemenyi_test
from skal.metrics._silhouette import cluster_silhouette
from skal.metrics._stochastic_order import (
    almost_stochastic_order,
    pairwise_stochastic_order,
)
from skal.metrics._table import learning_curves, queried_labels

__all__ = [
    "almost_stochastic_order",
    "batch_data_map",
    "batch_overlap",
    "batch_uncertainty",
    "bonferroni",
    "boundary_divergence",
    "budget_matched_auc",
    "cluster_silhouette",
    "error_lift",
    "first_step_loss",
    "friedman_nemenyi_test",
    "learning_curve_auc",
    "learning_curves",
    "make_learning_curve_scorer",
    "minority_discovery",
    "paired_bootstrap_test",
    "paired_permutation_test",
    "pairwise_stochastic_order",
    "queried_labels",
    "sampling_error_rate",
    "subpool_composition",
    "token_diversity",
]
