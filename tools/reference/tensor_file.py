"""Named tensors in two files: NAME.json, the index, and NAME.bin, the values.

The index is {"tensors": [{"name", "shape", "offset"}]}; the values are raw
little-endian f32, row-major, at that byte offset of the .bin file.
"""

import json
import pathlib

import numpy as np


class Writer:
    def __init__(self):
        self._chunks = []
        self._size = 0

    def add(self, array):
        """Appends the array; returns what an index says about it."""
        data = np.ascontiguousarray(array, dtype="<f4")
        entry = {"shape": list(data.shape), "offset": self._size}
        self._chunks.append(data.tobytes())
        self._size += data.nbytes
        return entry

    def write(self, path):
        pathlib.Path(path).write_bytes(b"".join(self._chunks))


def write_dump(stem, tensors):
    """Writes the dict of arrays as STEM.json and STEM.bin."""
    stem = pathlib.Path(stem)
    writer = Writer()
    index = [{"name": name, **writer.add(a)} for name, a in tensors.items()]
    lines = ",\n".join("  " + json.dumps(entry) for entry in index)
    stem.with_suffix(".json").write_text(f'{{"tensors": [\n{lines}\n]}}\n')
    writer.write(stem.with_suffix(".bin"))
