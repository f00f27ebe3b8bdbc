# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Seeds and streams."""

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from skal.utils._random import draw_seed, peek_seed, seed_nested, stream


def test_none_reads_fresh_entropy_and_leaves_the_global_generator_alone():
    state = np.random.get_state()[1].copy()
    assert draw_seed(None) != draw_seed(None)
    assert np.array_equal(np.random.get_state()[1], state)


def test_a_random_state_is_advanced_by_a_draw_and_not_by_a_peek():
    rng = np.random.RandomState(0)
    assert peek_seed(rng) == peek_seed(rng) == draw_seed(rng)
    assert peek_seed(rng) != peek_seed(np.random.RandomState(0))
    assert peek_seed(7) == 7


@pytest.mark.parametrize("key", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_seed_round_and_depth_each_give_another_stream(key):
    first = stream(0, 0, 0).randint(2**31, size=4)
    assert np.array_equal(first, stream(0, 0, 0).randint(2**31, size=4))
    assert not np.array_equal(first, stream(*key).randint(2**31, size=4))


def test_overwriting_seeds_what_the_user_set_too():
    pipeline = make_pipeline(QuantileTransformer(), SGDClassifier(random_state=5))
    seed_nested(pipeline, stream(0, 0), overwrite=True)
    seeds = {step.random_state for step in pipeline}
    assert len(seeds) == 2
    assert not seeds & {5, None}


def test_only_what_is_open_is_seeded_each_with_its_own():
    pipeline = make_pipeline(QuantileTransformer(), SGDClassifier(random_state=5))
    seed_nested(pipeline, stream(0, 0))
    assert pipeline[0].random_state is not None
    assert pipeline[1].random_state == 5
    both = seed_nested(
        make_pipeline(QuantileTransformer(), SGDClassifier()), stream(0, 0)
    )
    assert both[0].random_state != both[1].random_state
