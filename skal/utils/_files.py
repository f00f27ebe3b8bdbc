# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Files that are there whole or not at all."""

import contextlib
import os
import time
import uuid

UNFINISHED = ".tmp"
_DAY = 24 * 60 * 60


@contextlib.contextmanager
def whole_file(path):
    """Open a file to write bytes to, which appears under `path` once it is whole.

    Written under another name in the same folder, flushed to the disk, renamed. If the
    block raises, or the disk is full, nothing is left of it.
    """
    unfinished = path.with_name(uuid.uuid4().hex + UNFINISHED)
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def write_whole(path, content):
    """Write bytes to a file that is there whole or not at all."""
    with whole_file(path) as file:
        file.write(content)


def remove_stale(paths):
    """Remove what killed processes left unfinished more than a day ago."""
    for path in paths:
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _DAY:
                path.unlink()
