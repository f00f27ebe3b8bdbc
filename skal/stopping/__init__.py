# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""When to stop: criteria that advise, and how to calibrate them."""

from skal.stopping._agreement import ClassificationChange, DeltaF, KappaAverage
from skal.stopping._base import StoppingCriterion
from skal.stopping._composition import All, Any, Patience
from skal.stopping._criteria import (
    Budget,
    OverallUncertainty,
    Plateau,
    SelectedAccuracy,
)
from skal.stopping._noise import noise_floor
from skal.stopping._obey import obey

__all__ = [
    "All",
    "Any",
    "Budget",
    "ClassificationChange",
    "DeltaF",
    "KappaAverage",
    "OverallUncertainty",
    "Patience",
    "Plateau",
    "SelectedAccuracy",
    "StoppingCriterion",
    "noise_floor",
    "obey",
]
