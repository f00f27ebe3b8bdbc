# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The arithmetic of active learning: arrays in, arrays out, no state."""

from skal.functional._adversarial import (
    adversarial_loss,
    cosine_logits,
    discriminator_loss,
    gaussian_divergence,
    logit_entropy,
    vae_loss,
)
from skal.functional._anchors import anchor_subpool, spread_anchors
from skal.functional._batch_bald import batch_bald
from skal.functional._clustering import k_means, top_per_cluster
from skal.functional._contrast import contrastive_scores, mean_of_nearest
from skal.functional._coverage import (
    facility_location,
    k_center_greedy,
    nearest_to_centers,
)
from skal.functional._disagreement import (
    bald,
    consensus_entropy,
    max_kl,
    mean_kl,
    mean_std,
    variation_ratio,
    vote_entropy,
)
from skal.functional._dynamics import data_map, forgetting_events, label_dispersion
from skal.functional._gradient import (
    badge,
    expected_gradient_length,
    gradient_embedding,
)
from skal.functional._pseudo_errors import allocate_budget, pseudo_errors
from skal.functional._pseudo_labels import (
    confident_region_rows,
    confident_rows,
    decayed_threshold,
)
from skal.functional._ranking import top_rows
from skal.functional._regions import region_rows, region_scores
from skal.functional._sampling import random_rows
from skal.functional._schedules import cyclic_cosine
from skal.functional._shares import allocate_evenly, allocate_shares
from skal.functional._stochastic import perturbed_scores
from skal.functional._subsampling import subsampled_rows, subsampling_proba
from skal.functional._surprisal import surprisal_embedding
from skal.functional._uncertainty import entropy, least_confidence, margin
from skal.functional._variational import (
    gaussian_kl,
    gaussian_log_density,
    minibatch_weights,
    scale_mixture_log_density,
)

__all__ = [
    "adversarial_loss",
    "allocate_budget",
    "allocate_evenly",
    "allocate_shares",
    "anchor_subpool",
    "badge",
    "bald",
    "batch_bald",
    "confident_region_rows",
    "confident_rows",
    "consensus_entropy",
    "contrastive_scores",
    "cosine_logits",
    "cyclic_cosine",
    "data_map",
    "decayed_threshold",
    "discriminator_loss",
    "entropy",
    "expected_gradient_length",
    "facility_location",
    "forgetting_events",
    "gaussian_divergence",
    "gaussian_kl",
    "gaussian_log_density",
    "gradient_embedding",
    "k_center_greedy",
    "k_means",
    "label_dispersion",
    "least_confidence",
    "logit_entropy",
    "margin",
    "max_kl",
    "mean_kl",
    "mean_of_nearest",
    "mean_std",
    "minibatch_weights",
    "nearest_to_centers",
    "perturbed_scores",
    "pseudo_errors",
    "random_rows",
    "region_rows",
    "region_scores",
    "scale_mixture_log_density",
    "spread_anchors",
    "subsampled_rows",
    "subsampling_proba",
    "surprisal_embedding",
    "top_per_cluster",
    "top_rows",
    "vae_loss",
    "variation_ratio",
    "vote_entropy",
]
