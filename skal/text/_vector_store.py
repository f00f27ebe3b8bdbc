# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Vectors of texts on disk: computed once, memory-mapped, never half written."""

import contextlib
import io
import warnings
from hashlib import blake2b
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skal.exceptions import CacheWarning
from skal.utils._files import UNFINISHED, remove_stale, write_whole

_KEY = np.dtype("S16")
_KEYS, _VECTORS = ".keys.npy", ".vectors.npy"
_SHARD_ROWS = 2048


def text_keys(texts):
    """The 128-bit hash of each text, as an array of dtype ``S16``."""
    digests = [
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    ]
    return np.frombuffer(b"".join(digests), dtype=_KEY)


class VectorStore:
    """One vector per text, in a folder that many processes may read and write.

    The folder holds shards that are written once and never changed. A shard is two
    files, ``<name>.vectors.npy`` of shape (rows, n_features), float32, and
    ``<name>.keys.npy`` with the hashes of the texts; the name is the hash of both
    files. So a shard that is damaged or cut short is noticed when it is opened (it is
    left out, and removed), and two processes never write to one file unless it is to
    hold the same; a text in two shards is harmless. Each file is written under another
    name, flushed to the disk and renamed, the keys last: a process that is killed
    loses the shard it was at and nothing else.

    Parameters
    ----------
    folder : path-like
        Made when the first shard is written. One folder is for one model with one set
        of settings: the store does not know what computes the vectors.
    n_features : int
        The length of a vector.
    shard_rows : int, default=2048
        Most rows in a shard, so the most that are lost when the process is killed.

    Notes
    -----
    Finding n texts among m that are stored takes O((n + m) log m) time and 40 bytes a
    stored text; the vectors stay on disk. A store reads and hashes every shard once,
    when it first sees it, and notices shards that others add.
    """

    def __init__(self, folder, n_features, *, shard_rows=_SHARD_ROWS):
        self.folder = Path(folder)
        self.n_features = n_features
        self.shard_rows = shard_rows
        self._shards = {}  # name -> (keys, vectors)
        self._refused = set()
        self._index()

    def fetch(self, texts, compute, *, prepare=None, verbose=0):
        """The vectors of texts: read if they are stored, else computed and stored.

        Parameters
        ----------
        texts : ndarray of shape (n,), dtype object, or TokenizedTexts
            Each row a str.
        compute : callable
            ``compute(texts) -> array of shape (len(texts), n_features)``, called with
            at most `shard_rows` distinct texts at a time, longest texts first.
        prepare : callable, default=None
            ``prepare(texts)``, called once before that with all of these texts.
        verbose : int, default=0
            Whether to show a progress bar, counted in distinct texts.

        Returns
        -------
        vectors : ndarray of shape (n, n_features), dtype float32

        Warns
        -----
        CacheWarning
            If a shard was damaged, or one could not be written (a full disk, a folder
            that is read-only): what this call computes after that is not stored.
        """
        self._refresh()
        keys = text_keys(texts)
        vectors = np.empty((len(texts), self.n_features), dtype=np.float32)
        missing = self._read(keys, vectors)
        if len(missing):
            new, first, copies = np.unique(
                keys[missing], return_index=True, return_inverse=True
            )
            distinct = texts[missing[first]]
            if prepare is not None:
                prepare(distinct)
            computed = self._compute(distinct, new, compute, verbose)
            vectors[missing] = computed[copies]
        return vectors

    def _read(self, keys, vectors):
        """Fill in the vectors that are stored and return the positions of the rest."""
        if not len(self._keys):
            return np.arange(len(keys))
        place = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        is_stored = self._keys[place] == keys
        rows = np.flatnonzero(is_stored)
        stored = self._places[place[rows]]
        order = np.argsort(stored, kind="stable")
        parts = np.split(order, np.searchsorted(stored[order], self._starts[1:]))
        for part, start, (_, shard) in zip(
            parts, self._starts, self._shards.values(), strict=True
        ):
            vectors[rows[part]] = shard[stored[part] - start]
        return np.flatnonzero(~is_stored)

    def _compute(self, texts, keys, compute, verbose):
        """The vectors of distinct texts, written shard by shard."""
        vectors = np.empty((len(texts), self.n_features), dtype=np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        is_writable = True
        with tqdm(total=len(order), unit="text", disable=not verbose) as bar:
            for start in range(0, len(order), self.shard_rows):
                rows = order[start : start + self.shard_rows]
                vectors[rows] = compute(texts[rows])
                if is_writable:
                    is_writable = self._try_to_write(keys[rows], vectors[rows])
                bar.update(len(rows))
        return vectors

    def _try_to_write(self, keys, vectors):
        try:
            self._write(keys, vectors)
        except OSError as error:
            warnings.warn(
                f"The vectors of this call cannot be stored in {self.folder} ({error}) "
                "and will be computed again next time; what is stored already stays "
                "valid. Make room, or pass another `cache_dir`.",
                CacheWarning,
                stacklevel=6,
            )
            return False
        return True

    def _write(self, keys, vectors):
        self.folder.mkdir(parents=True, exist_ok=True)
        keys, vectors = _npy(keys), _npy(vectors)
        name = _shard_name(keys, vectors)
        write_whole(self.folder / (name + _VECTORS), vectors)
        write_whole(self.folder / (name + _KEYS), keys)
        self._refused.discard(name)

    def _refresh(self):
        """Open the shards that are new in the folder, other processes' included."""
        names = {path.name[: -len(_KEYS)] for path in self.folder.glob("*" + _KEYS)}
        new = sorted(names.difference(self._shards, self._refused))
        damaged = 0
        for name in new:
            try:
                self._shards[name] = self._open(name)
            except (OSError, ValueError) as error:
                damaged += 1
                self._refused.add(name)
                if isinstance(error, ValueError):
                    self._remove(name)
        if new:
            self._index()
            self._sweep()
        if damaged:
            warnings.warn(
                f"{damaged} damaged or unreadable files of vectors in {self.folder} "
                "were left out; what they held is computed again.",
                CacheWarning,
                stacklevel=5,
            )

    def _open(self, name):
        keys, vectors = self.folder / (name + _KEYS), self.folder / (name + _VECTORS)
        if _shard_name(keys.read_bytes(), vectors.read_bytes()) != name:
            raise ValueError("This is not what was written.")
        return np.load(keys), np.load(vectors, mmap_mode="r")

    def _index(self):
        """Sort the keys of all shards; a place is a row of the shards put together."""
        keys = [keys for keys, _ in self._shards.values()]
        keys = np.concatenate([np.empty(0, dtype=_KEY), *keys])
        self._places = np.argsort(keys, kind="stable")
        self._keys = keys[self._places]
        sizes = [len(keys) for keys, _ in self._shards.values()]
        self._starts = np.cumsum([0, *sizes])[:-1]

    def _sweep(self):
        """Remove what killed processes left unfinished more than a day ago."""
        remove_stale([*self.folder.glob("*" + UNFINISHED), *self._without_keys()])

    def _without_keys(self):
        for path in self.folder.glob("*" + _VECTORS):
            name = path.name[: -len(_VECTORS)]
            if not (self.folder / (name + _KEYS)).exists():
                yield path

    def _remove(self, name):
        for end in (_KEYS, _VECTORS):
            with contextlib.suppress(OSError):
                (self.folder / (name + end)).unlink()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _shard_name(keys, vectors):
    digest = blake2b(keys, digest_size=16)
    digest.update(vectors)
    return digest.hexdigest()
