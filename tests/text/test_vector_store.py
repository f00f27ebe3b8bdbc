# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The store of vectors: nothing twice, nothing wrong, whatever happens to it."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from skal.exceptions import CacheWarning
from skal.text._vector_store import VectorStore, text_keys

TEXTS = np.array([f"text {i} {'x' * (i % 7)}" for i in range(50)], dtype=object)


def vectors_of(texts):
    """Three numbers that any process computes alike."""
    keys = text_keys(texts)
    parts = [np.frombuffer(key.ljust(16, b"\0"), np.uint8)[:3] for key in keys.tolist()]
    return np.array(parts, dtype=np.float32)


class Counts:
    """`vectors_of`, and the texts it was called with."""

    def __init__(self):
        self.texts = []

    def __call__(self, texts):
        self.texts.extend(texts)
        return vectors_of(texts)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a" / "b"


@pytest.fixture
def make(folder):
    return lambda: VectorStore(folder, 3, shard_rows=8)


def fetch(store, texts=TEXTS):
    """What has to be computed for a right answer."""
    compute = Counts()
    np.testing.assert_array_equal(store.fetch(texts, compute), vectors_of(texts))
    return compute.texts


def test_keys_are_those_of_the_texts():
    texts = ["", "a", "A", "a ", "\0", "\ud800", "é", "e\u0301"]
    keys = text_keys(texts)
    assert keys.dtype == "S16"
    assert len(set(keys.tolist())) == len(texts)
    assert text_keys(["a"])[0] == keys[1]


def test_each_distinct_text_is_computed_once(make):
    store = make()
    twice = np.concatenate([TEXTS[:20], TEXTS[10:30][::-1]])
    assert sorted(fetch(store, twice)) == sorted(TEXTS[:30])
    assert fetch(store, twice) == []
    assert sorted(fetch(store)) == sorted(TEXTS[30:])
    assert fetch(make(), TEXTS[::-1]) == []


def test_longest_texts_come_first_in_calls_of_one_shard(make):
    sizes, lengths = [], []

    def compute(texts):
        sizes.append(len(texts))
        lengths.extend(map(len, texts))
        return vectors_of(texts)

    make().fetch(TEXTS, compute)
    assert sizes == [8] * 6 + [2]
    assert lengths == sorted(lengths, reverse=True)


def test_a_second_store_sees_what_the_first_one_adds(make):
    one, other = make(), make()
    fetch(one, TEXTS[:20])
    assert fetch(other, TEXTS[:20]) == []
    fetch(other)
    assert fetch(one) == []


def test_vectors_are_memory_mapped_and_the_answer_is_not(make):
    store = make()
    fetch(store)
    vectors = store.fetch(TEXTS, None)
    assert type(vectors) is np.ndarray
    assert vectors.flags.writeable
    vectors[:] = 0
    assert fetch(store) == []
    assert all(isinstance(shard, np.memmap) for _, shard in store._shards.values())


def test_no_text_at_all_makes_no_folder(make, folder):
    assert make().fetch(TEXTS[:0], None).shape == (0, 3)
    assert not folder.exists()


def in_a_process(folder, body):
    """Start a process that computes TEXTS into the store after `body`."""
    code = f"""
        import os, signal, sys, time
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_vector_store import TEXTS, VectorStore, vectors_of

        def die():
            os.kill(os.getpid(), signal.SIGKILL)

        def after(calls, function):
            def counted(*args):
                counted.calls += 1
                return die() if counted.calls > calls else function(*args)
            counted.calls = 0
            return counted

        compute = vectors_of
    """
    run = f"VectorStore({str(folder)!r}, 3, shard_rows=8).fetch(TEXTS, compute)"
    code = textwrap.dedent(code) + textwrap.dedent(body) + "\n" + run
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "n_kept"),
    [
        ("compute = after(3, vectors_of)", 24),
        ("os.fsync = after(6, os.fsync)", 24),  # in the vectors of the fourth shard
        ("os.replace = after(7, os.replace)", 24),  # before its keys get their name
    ],
)
def test_a_killed_process_loses_its_last_shard_only(make, folder, body, n_kept):
    assert in_a_process(folder, body).wait() == -signal.SIGKILL
    assert len(fetch(make())) == len(TEXTS) - n_kept
    assert fetch(make()) == []


@pytest.mark.slow
def test_two_processes_at_once(make, folder):
    slowly = """
        def compute(texts):
            time.sleep(0.02)
            return vectors_of(texts)
    """
    processes = [in_a_process(folder, slowly) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert fetch(make()) == []
    assert not list(folder.glob("*.tmp"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def break_header(path):
    path.write_bytes(path.read_bytes().replace(b"descr", b"d\0scr"))


@pytest.mark.parametrize("damage", [cut, empty, flip, break_header, os.unlink])
@pytest.mark.parametrize("end", [".vectors.npy", ".keys.npy"])
def test_a_damaged_shard_is_computed_again(make, folder, damage, end):
    fetch(make())
    damage(sorted(folder.glob("*" + end))[0])
    store = make()
    if damage is os.unlink and end == ".keys.npy":  # unfinished, as far as one can see
        n_lost = len(fetch(store))
    else:
        with pytest.warns(CacheWarning, match="1 damaged or unreadable"):
            n_lost = len(fetch(store))
    assert n_lost in (2, 8)
    assert fetch(store) == []
    assert fetch(make()) == []


def test_a_shard_that_cannot_be_read_is_left_where_it_is(make, folder, monkeypatch):
    fetch(make(), TEXTS[:8])
    names = {path.name for path in folder.iterdir()}

    def fails(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", fails)
    with pytest.warns(CacheWarning, match="unreadable"):
        assert len(fetch(make(), TEXTS[:8])) == 8
    monkeypatch.undo()
    assert {path.name for path in folder.iterdir()} == names
    assert fetch(make(), TEXTS[:8]) == []


def test_a_full_disk_keeps_what_is_stored(make, folder, monkeypatch):
    calls = []

    def fails_later(descriptor):
        calls.append(descriptor)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails_later)
    with pytest.warns(CacheWarning, match="No space left") as caught:
        assert len(fetch(make())) == 50
    assert len(caught) == 1
    assert not list(folder.glob("*.tmp"))
    monkeypatch.undo()
    assert len(fetch(make())) == 50 - 16
    assert fetch(make()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(CacheWarning, match="cannot be stored"):
        assert len(fetch(VectorStore(tmp_path / "file" / "a", 3))) == 50


def test_an_error_while_computing_keeps_the_shards_before_it(make):
    def fails(texts):
        if "text 49 " in texts:
            raise RuntimeError("no")
        return vectors_of(texts)

    with pytest.raises(RuntimeError, match="no"):
        make().fetch(TEXTS, fails)
    assert len(fetch(make())) < 50


def test_leftovers_go_after_a_day(make, folder):
    fetch(make())
    shard = sorted(folder.glob("*.keys.npy"))[0]
    leftovers = [folder / "1.tmp", folder / "2.vectors.npy"]
    for path in [*leftovers, folder / "3.tmp"]:
        path.touch()
    yesterday = time.time() - 25 * 60 * 60
    for path in [*leftovers, shard]:
        os.utime(path, (yesterday, yesterday))
    assert fetch(make()) == []
    assert not any(path.exists() for path in leftovers)
    assert (folder / "3.tmp").exists()
    assert shard.exists()
