# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pictures of an active-learning run, and why rows were picked."""

from skal.inspection._data_map import DataMapDisplay
from skal.inspection._diversity_uncertainty import DiversityUncertaintyDisplay
from skal.inspection._explanation import QueryExplanation
from skal.inspection._learning_curve import LearningCurveDisplay
from skal.inspection._loss_divergence import LossDivergenceDisplay
from skal.inspection._ranks import RankDisplay
from skal.inspection._selection import SelectionDisplay
from skal.inspection._subpool import SubpoolDisplay

__all__ = [
    "DataMapDisplay",
    "DiversityUncertaintyDisplay",
    "LearningCurveDisplay",
    "LossDivergenceDisplay",
    "QueryExplanation",
    "RankDisplay",
    "SelectionDisplay",
    "SubpoolDisplay",
]
