# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The `skal` command. It needs the extra ``cli``."""

from skal.cli._main import main

__all__ = ["main"]
