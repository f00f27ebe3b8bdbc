# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The files of a saved index."""

import contextlib
import json
import re
import uuid
from hashlib import blake2b
from pathlib import Path

import numpy as np

from skal.exceptions import IndexFilesError, PoolMismatchError
from skal.utils._arrays import check_stored_vectors, in_single_precision
from skal.utils._faiss_kinds import read_faiss, write_faiss
from skal.utils._files import UNFINISHED, remove_stale, whole_file, write_whole
from skal.utils._nearest import Directions
from skal.utils._rows import is_mapped

# To be raised when files that are written from now on can no longer be read by the code
# that came before.
_VERSION = 1
_META = "index.json"
_KEYS = frozenset({"kind", "n_rows", "n_features", "sampled_rows", "vectors", "files"})
_OURS = re.compile(r"[0-9a-f]{32}\.(lengths\.npy|vectors\.npy|faiss)")
_N_SAMPLED_ROWS = 64


def write_index(folder, kind, points, found):
    """Write an index to a folder.

    Each file has a name of its own but ``index.json``, which names the others and is
    written last: until then an earlier index in the folder is whole, from then on the
    new one is. What was written for the earlier one is then removed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    earlier, new = _written_to(folder), uuid.uuid4().hex
    parts = {f"{new}.lengths.npy": lambda file: np.save(file, points.lengths)}
    stored = _path_of(points.vectors, folder)
    if stored is None:
        stored = f"{new}.vectors.npy"
        parts[stored] = lambda file: np.save(file, points.vectors)
    if found is not None:
        parts[f"{new}.faiss"] = lambda file: write_faiss(found, file)
    remove_stale(folder.glob("*" + UNFINISHED))
    try:
        for name, write in parts.items():
            with whole_file(folder / name) as file:
                write(file)
        written = [*parts, *(earlier & {stored})]
        _write_meta(folder, kind, points, stored, written)
    except BaseException:
        _remove(folder, parts)
        raise
    _remove(folder, earlier.difference(written))


def _write_meta(folder, kind, points, stored, written):
    meta = {
        "version": _VERSION,
        "kind": kind,
        "n_rows": len(points),
        "n_features": points.vectors.shape[1],
        "dtype": str(points.vectors.dtype),
        "sampled_rows": _hash_of_rows(points.vectors),
        "vectors": stored,
        "files": {name: (folder / name).stat().st_size for name in written},
    }
    write_whole(folder / _META, json.dumps(meta, indent=1).encode())


def _remove(folder, names):
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def read_index(folder, vectors, mmap):
    """The kind, the rows and the faiss index (None if there is none) of a saved index.

    `vectors` of None are those that it was saved with.
    """
    folder = Path(folder)
    meta = _read_meta(folder)
    if vectors is None:
        vectors = _load_array(folder / meta["vectors"], mmap)
    name = "The indexed vectors"
    vectors = check_stored_vectors(vectors, name)
    _check_same(vectors, meta, folder)
    lengths = next(file for file in meta["files"] if file.endswith(".lengths.npy"))
    points = Directions.of(vectors, _load_array(folder / lengths, False), name)
    found = None
    for file in meta["files"]:
        if file.endswith(".faiss"):
            try:
                found = read_faiss(folder / file, mmap)
            except RuntimeError as error:
                raise _damaged(folder / file, error) from error
    return meta["kind"], points, found


def _read_meta(folder):
    """What ``index.json`` says, if all the files that it names are there and whole."""
    path = folder / _META
    if not path.exists():
        raise FileNotFoundError(
            f"A folder that an index was saved to has a file {_META}. {folder} has "
            "none; pass the folder that NeighborIndex.save was given."
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        version = meta["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    if version != _VERSION:
        raise IndexFilesError(
            f"This skal reads saved indexes of version {_VERSION}. That in {folder} is "
            f"of version {version}; build the index again and save it."
        )
    absent = _KEYS.difference(meta)
    if absent:
        raise _damaged(path, f"without {sorted(absent)}")
    for name, size in meta["files"].items():
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{path} names the file {name}, which is not there. Put it back, or "
                "build the index again and save it."
            )
        found = (folder / name).stat().st_size
        if found != size:
            raise _damaged(folder / name, f"{found} bytes in place of {size}")
    return meta


def _load_array(path, mmap):
    if not path.exists():
        raise FileNotFoundError(
            f"The vectors of the index were in {path}, which is not there. Pass them "
            "as `vectors`, an array or np.load(path, mmap_mode='r')."
        )
    try:
        return np.load(path, mmap_mode="r" if mmap else None)
    except (ValueError, EOFError) as error:
        raise _damaged(path, error) from error


def _check_same(vectors, meta, folder):
    """Refuse vectors other than those that the index was built on."""
    expected = meta["n_rows"], meta["n_features"]
    if vectors.shape != expected:
        raise PoolMismatchError(
            f"The index in {folder} was built on vectors of shape {expected}. These "
            f"have shape {vectors.shape}: they are of another pool or encoder. Pass "
            "those that it was built on, or build an index on these."
        )
    if _hash_of_rows(vectors) != meta["sampled_rows"]:
        raise PoolMismatchError(
            f"The index in {folder} was built on other vectors of shape {expected}: "
            f"some of {_N_SAMPLED_ROWS} sampled rows differ. Pass those that it was "
            "built on, in their order, or build an index on these."
        )


def _hash_of_rows(vectors):
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), _N_SAMPLED_ROWS))
    sample = in_single_precision(vectors[rows.astype(np.int64)])
    return blake2b(sample.tobytes(), digest_size=16).hexdigest()


def _path_of(vectors, folder):
    """Where vectors lie, whole, in a .npy file that is not another index's; or None.

    Relative where that is the folder itself, which may then be moved.
    """
    path = getattr(vectors, "filename", None)
    if path is None or not is_mapped(vectors) or vectors.mode == "c":
        return None
    try:
        stored = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    same = stored.shape == vectors.shape and stored.dtype == vectors.dtype
    if not (same and _hash_of_rows(stored) == _hash_of_rows(vectors)):
        return None
    path = Path(path).resolve()
    if path.parent == folder.resolve():
        return path.name
    return None if path.name in _written_to(path.parent) else str(path)


def _written_to(folder):
    """The files that were written for the index in a folder, if there is one."""
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        return {name for name in meta["files"] if _OURS.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _damaged(path, what):
    return IndexFilesError(
        f"The files of a saved index must be as they were written. {path} is damaged "
        f"or cut short ({what}); build the index again and save it."
    )
