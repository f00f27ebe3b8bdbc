# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pool filters: which rows the strategy gets to see."""

from skal.filters._anchoral import AnchorAL
from skal.filters._k_means import KMeansSub
from skal.filters._random import RandSub
from skal.filters._seals import SEALS
from skal.filters._ups import UPS

__all__ = ["SEALS", "UPS", "AnchorAL", "KMeansSub", "RandSub"]
