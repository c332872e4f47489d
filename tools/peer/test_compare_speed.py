"""The comparison with the peer pairs the same tests and takes medians."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import compare_speed  # noqa: E402
import peer_speed  # noqa: E402


class CompareTest(unittest.TestCase):

    def test_one_slow_round_does_not_count(self):
        rounds = [{"load": 1.0}, {"load": 9.0}, {"load": 2.0}]
        self.assertEqual(compare_speed.medians(rounds), {"load": 2.0})

    def test_a_ratio_above_one_means_that_carat_is_faster(self):
        key = ("decode", 32, 2048, 1)
        rows = compare_speed.rows_of({key: 30.0, "load": 1.0},
                                     {key: 20.0, "load": 3.0}, {key: 36.0})
        self.assertEqual(rows[0],
                         ("decode 32 at 2048, tokens/s", 30.0, 20.0, 1.5, 1.8))
        self.assertEqual(rows[1], ("load, seconds", 1.0, 3.0, 3.0, None))
        table = compare_speed.table(rows)
        self.assertIn("| decode 32 at 2048, tokens/s | 30.00 | 20.00 | 1.50 | "
                      "1.80 |", table)
        self.assertIn("| load, seconds | 1.00 | 3.00 | 3.00 |  |", table)

    def test_a_limit_is_what_the_share_is_a_share_of(self):
        decode = {"kind": "decode", "tokens": 32, "depth": 0, "rows": 2,
                  "tokens_per_second": 30.0, "share_of_limit": 0.75}
        prefill = {"kind": "prefill", "tokens": 512, "depth": 0,
                   "tokens_per_second": 100.0}
        self.assertEqual(compare_speed.limits({"results": [decode, prefill]}),
                         {("decode", 32, 0, 2): 40.0})

    def test_several_rows_have_a_name_of_their_own(self):
        key = ("decode", 32, 0, 8)
        self.assertEqual(compare_speed.rows_of({key: 30.0}, {key: 10.0}, {}),
                         [("decode 32 at 0, 8 rows, tokens/s", 30.0, 10.0,
                           3.0, None)])

    def test_less_memory_is_a_ratio_above_one(self):
        rows = compare_speed.rows_of({"memory": 2.0**30},
                                     {"memory": 3 * 2.0**30}, {})
        self.assertEqual(rows, [("memory, MiB", 1024.0, 3072.0, 3.0, None)])

    def test_lists_are_read_as_carat_reads_them(self):
        self.assertEqual(peer_speed.numbers("128,512"), [128, 512])
        self.assertEqual(peer_speed.numbers("none"), [])


if __name__ == "__main__":
    unittest.main()
