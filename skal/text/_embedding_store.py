# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The files of a pool's vectors: shards that are there whole, then one array."""

import contextlib
import json
import os
import re
from hashlib import blake2b
from pathlib import Path

import numpy as np

from skal.exceptions import CacheWarning, StoreMismatchError
from skal.text._parts import Part, checksum, npy_header, part_of_file
from skal.text._stored_vectors import META, VERSION, load_vectors, parts_of, read_meta
from skal.utils._files import UNFINISHED, remove_stale, whole_file, write_whole
from skal.utils._warnings import warn

SHARDS = "shards"
_HASH = "[0-9a-f]{32}"
# The array, the keys, a shard, the encoder.
_OURS = re.compile(rf"(vectors|texts)-{_HASH}\.npy|{_HASH}\.{_HASH}\.npy|{_HASH}\.pkl")


class EmbeddingStore:
    """The vectors of one pool by one encoder, in a folder.

    While they are computed, ``shards`` holds a file for each shard that is finished,
    ``<name>.<checksum>.npy``; the name is the hash of the encoder, the settings and the
    shard's texts. Once all are there they become one array, ``vectors-<hash>.npy``, in
    the order of the rows, and are removed. ``texts-<hash>.npy`` has the hash of each
    text. ``store.json`` says whose vectors they are, which files are valid and what
    each shard's checksum is; it is the last to be written. Every file is there whole or
    not at all.

    Parameters
    ----------
    folder : path-like
    encoder : str
        The fingerprint of what computes the vectors.
    dtype : {"float16", "float32"}
    shard_rows : int
    made_by : str, default=""
        What error texts call the encoder.
    """

    def __init__(self, folder, encoder, dtype, shard_rows, made_by=""):
        self.folder = Path(os.path.abspath(folder))
        self.settings = {"encoder": encoder, "dtype": dtype, "shard_rows": shard_rows}
        self.made_by = made_by

    def names(self, keys):
        """The name of each shard of texts with these keys."""
        head = json.dumps(self.settings, sort_keys=True).encode()
        rows = self.settings["shard_rows"]
        return [
            blake2b(
                head + keys[start : start + rows].tobytes(), digest_size=16
            ).hexdigest()
            for start in range(0, len(keys), rows)
        ]

    def begin(self, keys, overwrite):
        """Make the folder, or refuse one that holds something else."""
        meta = read_meta(self.folder)
        if meta is None:
            self._refuse_others()
        elif not meta:
            warn(
                f"{self.folder / META} is damaged: the vectors of which it told are "
                "computed again.",
                CacheWarning,
            )
        elif not overwrite:
            self._refuse(meta, keys)
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            if not meta or meta["vectors"] is None:
                self._write_meta(keys)
            (self.folder / SHARDS).mkdir(exist_ok=True)

    def _refuse_others(self):
        """Refuse a folder that holds something else, or a file."""
        entries = self.folder.iterdir() if self.folder.is_dir() else ()
        others = [entry.name for entry in entries if not _is_ours(entry)]
        if self.folder.is_file() or others:
            raise ValueError(
                "A store must be a folder that is new, empty or an earlier store. Got "
                f"{self.folder}, which is or holds something else; name another one."
            )

    def _refuse(self, meta, keys):
        for name, now in self.settings.items():
            if meta[name] != now:
                before = {name: meta[name], "encoder": meta.get("made_by")}[name]
                now = {name: now, "encoder": self.made_by}[name]
                same = " (its weights or settings differ)" if before == now else ""
                raise StoreMismatchError(
                    "A store holds vectors of one encoder, one dtype and one size of "
                    f"shards. In {self.folder}, {name} is {before}; in this call it is "
                    f"{now}{same}. Name another folder, or overwrite this one."
                )
        try:
            before = np.load(self.folder / meta["texts"])
        except (OSError, ValueError, EOFError):
            return
        if len(before) and not np.isin(keys, before).any():
            raise StoreMismatchError(
                f"A store holds the vectors of one pool. That in {self.folder} holds "
                f"{len(before)} other texts, none of these {len(keys)}. Name another "
                "folder, or overwrite this one."
            )

    def _write_meta(self, keys, vectors=None, n_features=None, shards=()):
        texts = f"texts-{checksum(keys)}.npy"
        with whole_file(self.folder / texts) as file:
            np.save(file, keys)
        meta = {
            "version": VERSION,
            **self.settings,
            "made_by": self.made_by,
            "n_rows": len(keys),
            "n_features": n_features,
            "texts": texts,
            "vectors": vectors,
            "shards": list(shards),
        }
        write_whole(self.folder / META, json.dumps(meta, indent=1).encode())

    def finished(self, names):
        """The shards that are there and as they were written, {name: Part}.

        Warns
        -----
        CacheWarning
            If some are not.
        """
        wanted, parts, damaged = set(names), {}, set()
        for name, find in self._candidates():
            if name in wanted and name not in parts:
                try:
                    part = find()
                    part.read()
                    parts[name] = part
                except (OSError, ValueError):
                    damaged.add(name)
        n_damaged = len(damaged.difference(parts))
        if n_damaged:
            warn(
                f"{n_damaged} {'shard' if n_damaged == 1 else 'shards'} of vectors in "
                f"{self.folder}: damaged or cut short, and computed again.",
                CacheWarning,
            )
        return parts

    def _candidates(self):
        """Names of shards, and functions that find them."""
        for name, part in parts_of(self.folder, read_meta(self.folder)):
            yield name, lambda part=part: part
        for path in sorted((self.folder / SHARDS).glob("*.npy")):
            name, _, digest = path.stem.partition(".")
            yield name, lambda path=path, digest=digest: part_of_file(path, digest)

    def find(self, name):
        """The Part of one shard if it has been written and is whole, else None."""
        for path in (self.folder / SHARDS).glob(f"{name}.*.npy"):
            with contextlib.suppress(OSError, ValueError):
                part = part_of_file(path, path.stem.partition(".")[2])
                part.read()
                return part
        return None

    def put(self, name, vectors):
        """Write a shard that is finished; return its Part."""
        digest = checksum(vectors)
        path = self.folder / SHARDS / f"{name}.{digest}.npy"
        header = npy_header(vectors.shape, vectors.dtype)
        self.write(path, lambda file: file.write(header + vectors.tobytes()))
        return Part(path, len(header), vectors.nbytes, digest)

    def write(self, path, write):
        """Write a file that is there whole or not at all: ``write(file)``."""
        with self._writing(), whole_file(path) as file:
            write(file)

    def finish(self, names, parts, keys):
        """Put the shards together, in the order of the names; return the array."""
        sizes = [parts[name].size for name in names]
        itemsize = np.dtype(self.settings["dtype"]).itemsize
        n_features, rest = divmod(sum(sizes), len(keys) * itemsize)
        shape = len(keys), n_features
        shards = [[name, parts[name].checksum] for name in names]
        if rest or {size % (n_features * itemsize) for size in sizes} != {0}:
            raise ValueError(
                "An encoder must give vectors of one length. Those of the shards in "
                f"{self.folder} differ; overwrite the store."
            )
        if not self._is_finished(shape, shards, parts):
            self._put_together(shape, shards, parts, keys)
        self._clean(keep={self._name(shards), f"texts-{checksum(keys)}.npy"})
        return load_vectors(self.folder)

    def _is_finished(self, shape, shards, parts):
        path = self.folder / self._name(shards)
        meta = read_meta(self.folder)
        if meta["shards"] != shards or any(
            part.path != path for part in parts.values()
        ):
            return False
        header = npy_header(shape, self.settings["dtype"])
        size = len(header) + sum(parts[name].size for name, _ in shards)
        with open(path, "rb") as file:
            return file.read(len(header)) == header and path.stat().st_size == size

    @staticmethod
    def _name(shards):
        digest = blake2b(json.dumps(shards).encode(), digest_size=16).hexdigest()
        return f"vectors-{digest}.npy"

    def _put_together(self, shape, shards, parts, keys):
        name = self._name(shards)
        with self._writing():
            with whole_file(self.folder / name) as file:
                file.write(npy_header(shape, self.settings["dtype"]))
                for shard, _ in shards:
                    file.write(parts[shard].read())
            self._write_meta(keys, name, shape[1], shards)

    def _clean(self, keep):
        """Remove shards, what an earlier pool had, and what killed processes left."""
        remove_stale(self.folder.rglob("*" + UNFINISHED))
        for path in [*self.folder.glob(f"{SHARDS}/*.npy"), *self.folder.iterdir()]:
            if _OURS.fullmatch(path.name) and path.name not in keep:
                with contextlib.suppress(OSError):
                    path.unlink()
        with contextlib.suppress(OSError):
            (self.folder / SHARDS).rmdir()

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno,
                f"{self.folder} cannot be written ({error.strerror}). All shards that "
                "are finished are kept: make room, or mend the permissions, and do the "
                "same again",
            ) from error


def _is_ours(path):
    unfinished = path.suffix == UNFINISHED or path.name == SHARDS
    return unfinished or _OURS.fullmatch(path.name) is not None
