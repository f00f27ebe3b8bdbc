# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The entry point, which works (and says so) without the extra."""

import importlib.util
import sys

_NEEDED = ("matplotlib", "rich", "typer")


def main():
    """Run the `skal` command with the arguments of the process.

    Raises
    ------
    SystemExit
        Always, with the command's exit code; with 1 after a line on stderr that says
        what to install if typer, rich or matplotlib is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        remedy = 'pip install "skal[cli]"'
        print(f"skal needs {', '.join(missing)}. Run: {remedy}", file=sys.stderr)
        raise SystemExit(1)
    from skal.cli._app import app

    app()
