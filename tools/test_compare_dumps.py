"""Tests of compare_dumps."""

import array
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).with_name("compare_dumps")
NAN, INF = float("nan"), float("inf")


class CompareDumps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def dump(self, folder, tensors):
        path = self.folder / folder
        path.mkdir(exist_ok=True)
        index, data = [], b""
        for name, values in tensors.items():
            index.append({"name": name, "shape": [len(values)],
                          "offset": len(data)})
            data += array.array("f", values).tobytes()
        (path / "dump.json").write_text(json.dumps({"tensors": index}))
        (path / "dump.bin").write_bytes(data)
        return path

    def compare(self, want, got, *options):
        done = subprocess.run(
            [sys.executable, TOOL, self.dump("want", want),
             self.dump("got", got), *options],
            check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_equal_tensors_agree_also_at_infinity(self):
        tensors = {"a": [1, 2], "b": [0, INF, -INF]}
        self.assertEqual(self.compare(tensors, tensors)[0], 0)

    def test_a_difference_is_judged_by_the_range_of_the_expected_tensor(self):
        want, got = {"a": [0, 1000]}, {"a": [0.05, 1000]}
        self.assertEqual(self.compare(want, got)[0], 0)
        self.assertEqual(
            self.compare(want, got, "--tolerance", "1e-5")[0], 1)

    def test_nan_and_wrong_infinity_never_agree(self):
        for value in (NAN, INF, -INF):
            code, _ = self.compare({"a": [1, 2, 3]}, {"a": [1, value, 3]},
                                   "--tolerance", "1e30")
            self.assertEqual(code, 1)
        self.assertEqual(self.compare({"a": [0, INF]}, {"a": [0, -INF]})[0], 1)

    def test_the_first_tensor_that_differs_is_named(self):
        code, text = self.compare({"a": [0, 1], "b": [0, 1], "c": [0, 1]},
                                  {"a": [0, 1], "b": [1, 1], "c": [1, 1]})
        self.assertEqual(code, 1)
        self.assertIn("first: b", text)

    def test_a_missing_tensor_fails_unless_only_common_ones_count(self):
        want, got = {"a": [1, 2], "b": [3]}, {"a": [1, 2]}
        self.assertEqual(self.compare(want, got)[0], 1)
        self.assertEqual(self.compare(want, got, "--common")[0], 0)

    def test_nothing_in_common_is_an_error(self):
        self.assertEqual(
            self.compare({"a": [1]}, {"b": [1]}, "--common")[0], 2)

    def test_another_number_of_values_fails(self):
        self.assertEqual(self.compare({"a": [1, 2]}, {"a": [1, 2, 3]})[0], 1)

    def test_a_dump_cut_short_is_reported(self):
        self.dump("want", {"a": [1, 2]})
        (self.folder / "want/dump.bin").write_bytes(b"\0\0\0\0")
        done = subprocess.run(
            [sys.executable, TOOL, self.folder / "want",
             self.folder / "want"],
            check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("outside", done.stderr)


if __name__ == "__main__":
    unittest.main()
