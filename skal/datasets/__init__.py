# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Real data that needs no download, and a way to make it imbalanced."""

from skal.datasets._docstrings import load_docstrings
from skal.datasets._imbalance import make_imbalanced

__all__ = ["load_docstrings", "make_imbalanced"]
