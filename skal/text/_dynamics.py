# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What follows from a classifier's training dynamics."""

from sklearn.utils import Bunch

from skal.functional import data_map, forgetting_events
from skal.utils._capabilities import recorded_dynamics


class RecordsTraining:
    """The attributes of a classifier that has recorded `training_dynamics_`.

    Before `fit` they raise a NotFittedError, which is an AttributeError too.
    """

    # Says before the first fit that training is recorded: strategies ask the class.
    training_dynamics_ = None

    @property
    def data_map_(self):
        dynamics = recorded_dynamics(self)
        confidence, variability, correctness = data_map(
            dynamics.gold_proba, dynamics.correct
        )
        return Bunch(
            confidence=confidence, variability=variability, correctness=correctness
        )

    @property
    def forgetting_events_(self):
        return forgetting_events(recorded_dynamics(self).correct)
