# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Warnings that point at the user's own line."""

import sys
import warnings

_INSIDE = ("skal", "sklearn", "contextlib", "joblib")


def warn(message, category):
    """Warn at the nearest caller that is not in skal or the libraries around it."""
    frame, stacklevel = sys._getframe(1), 2
    while frame is not None and _package(frame) in _INSIDE:
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
