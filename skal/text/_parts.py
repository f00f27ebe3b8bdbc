# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rows of a .npy file as bytes, and the hash by which damage is noticed."""

import io
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """Some rows in a file, and the checksum that they had when they were written."""

    path: Path
    offset: int
    size: int
    checksum: str

    def read(self):
        """The bytes.

        Raises
        ------
        ValueError
            If they are not those that were written.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if checksum(content) != self.checksum:
            raise ValueError(f"{self.path} is damaged or cut short.")
        return content


def checksum(content):
    """128 bits, as hexadecimal digits; of an array its numbers."""
    return blake2b(content, digest_size=16).hexdigest()


def npy_header(shape, dtype):
    """What a .npy file of a C-contiguous array begins with."""
    file = io.BytesIO()
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": description, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def part_of_file(path, digest):
    """All rows of a .npy file.

    Raises
    ------
    ValueError
        If its header is damaged.
    """
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
    return Part(path, offset, path.stat().st_size - offset, digest)
