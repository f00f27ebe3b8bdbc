# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The folder that a simulation works in and can be resumed from."""

import contextlib
import hashlib
import json
import pickle
import re
from pathlib import Path

import joblib

import skal
from skal._simulation_data import describe_data
from skal.utils._describe import describe, first_difference
from skal.utils._files import UNFINISHED, remove_stale, whole_file, write_whole


class ResultFolder:
    """What goes into the runs of a simulation, and a file for each that is finished.

    ``simulation.json`` describes protocol, learners and data sets; ``inputs`` holds
    them. A finished run is ``runs/<data set>.<learner>.<seed>.jsonl``, one line per
    round. Every file is there whole or not at all.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self.path = Path(path)

    def open(self, protocol, learners, datasets):
        """Make the folder, or refuse one that holds something else.

        Learners and data sets may be added to those of earlier calls; what goes by the
        name of an earlier one must be that.
        """
        now = {
            "skal": skal.__version__,
            "protocol": describe(protocol),
            "learners": {name: describe(value) for name, value in learners.items()},
            "datasets": {name: describe_data(data) for name, data in datasets.items()},
        }
        before = self._description()
        joined = _joined(before, now)
        self._refuse(first_difference(_joined(now, before), joined))
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            remove_stale(self.path.rglob("*" + UNFINISHED))
            text = json.dumps(joined, indent=1, sort_keys=True)
            # First of all: a folder that holds anything else without it is refused.
            write_whole(self.path / "simulation.json", text.encode())
            for name in ("inputs", "runs"):
                (self.path / name).mkdir(exist_ok=True)
            write_whole(self._input("protocol"), _pickled(protocol))
            for name, learner in learners.items():
                write_whole(self._input("learner", name), _pickled(learner))
            for name, data in datasets.items():
                self._put_data(self._input("data", name), data)

    def _description(self):
        path = self.path / "simulation.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        entries = self.path.iterdir() if self.path.is_dir() else ()
        if any(entry.suffix != UNFINISHED for entry in entries):
            raise ValueError(
                "folder must be new, empty, or that of an earlier simulation. Got "
                f"{self.path}, which holds other files; pass another one."
            )
        return {}

    def _refuse(self, difference):
        if difference is None:
            return
        key, before, now = difference
        raise ValueError(
            f"A folder holds the runs of one configuration. In {self.path}, {key} is "
            f"{before}; in this call it is {now}. Pass another folder, or repeat the "
            "earlier call to go on with it."
        )

    @staticmethod
    def _put_data(path, data):
        """Rows are stored once, such that several processes can map them."""
        if not isinstance(data, tuple):
            write_whole(path, _pickled(data))
        elif not path.exists():
            with whole_file(path) as file:
                joblib.dump(data, file)

    def inputs(self, learner, dataset):
        """The protocol, a learner and a data set, by the names they were given."""
        paths = self._input("protocol"), self._input("learner", learner)
        if not paths[0].exists():
            raise FileNotFoundError(
                f"Every worker must see the folder of the simulation. {self.path} is "
                "not there; pass a folder on a file system that all machines share."
            )
        data = joblib.load(self._input("data", dataset), mmap_mode="c")
        return (*map(joblib.load, paths), data)

    def finished(self, learner, dataset, seed):
        """The lines of a finished run, None of one that is not."""
        path = self._run(learner, dataset, seed)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines] or None
        except (OSError, ValueError):  # not there, or damaged: to be done again
            return None

    def put(self, learner, dataset, seed, lines):
        """Store a finished run."""
        with self._writing():
            write_whole(self._run(learner, dataset, seed), to_jsonl(lines))

    def put_table(self, name, content):
        """Store a file beside the runs."""
        with self._writing():
            write_whole(self.path / name, content)

    def _input(self, kind, name=None):
        key = kind if name is None else f"{kind}-{_key(name)}"
        return self.path / "inputs" / f"{key}.pkl"

    def _run(self, learner, dataset, seed):
        name = f"{_key(dataset)}.{_key(learner)}.{seed}.jsonl"
        return self.path / "runs" / name

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            raise type(error)(
                error.errno,
                f"Results cannot be written to {self.path} ({error.strerror}). Make "
                "room or mend the permissions and call simulate again, or pass another "
                "folder; the runs that are finished are kept",
            ) from error


def to_jsonl(lines):
    """One line of JSON for each, as bytes."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _joined(first, second):
    """Both descriptions; where they differ, the second holds."""
    joined = {**first, **second}
    for kind in ("learners", "datasets"):
        joined[kind] = {**first.get(kind, {}), **second.get(kind, {})}
    return joined


def _key(name):
    """A name as part of a file name: what can be read of it, and a hash."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4)
    return f"{re.sub('[^A-Za-z0-9-]+', '_', name)[:40]}-{digest.hexdigest()}"


def _pickled(value):
    """By value where it was defined in a script or notebook, for workers elsewhere."""
    wrapped = joblib.wrap_non_picklable_objects(value, keep_wrapper=False)
    return pickle.dumps(wrapped)
