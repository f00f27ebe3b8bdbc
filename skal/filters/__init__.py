# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pool filters: which rows the strategy gets to see."""

from skal.filters._anchoral import AnchorAL
from skal.filters._random import RandSub
from skal.filters._seals import SEALS

__all__ = ["SEALS", "AnchorAL", "RandSub"]
