"""The page's tables: a machine each, rows replaced by file, the rest kept."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench_peer  # noqa: E402
from bench_peer import BEGIN, END, rewrite  # noqa: E402

PAGE = f"# Benchmarks\n\nText.\n\n{BEGIN}\n{END}\n\n## More\n"
ROW = ("prefill 512, tokens/s", 30.0, 10.0, 3.0, 4.5)


class RewriteTest(unittest.TestCase):

    def test_what_stands_around_the_part_stays(self):
        page = rewrite(PAGE, "CPU, avx2, 2 CPUs", ["A note."],
                       {"a.gguf": [ROW]})
        self.assertTrue(page.startswith("# Benchmarks\n\nText.\n\n" + BEGIN))
        self.assertTrue(page.endswith(END + "\n\n## More\n"))
        self.assertIn("### CPU, avx2, 2 CPUs\n\nA note.\n\n| file |", page)
        self.assertIn("| a.gguf | prefill 512, tokens/s | 30.00 | 10.00 | "
                      "3.00 | 4.50 |", page)

    def test_rows_of_a_file_are_replaced_and_others_kept(self):
        page = rewrite(PAGE, "M", ["Old."], {"a.gguf": [ROW],
                                             "b.gguf": [ROW]})
        page = rewrite(page, "M", ["New."],
                       {"b.gguf": [("load, seconds", 1.0, 2.0, 2.0, None)]})
        self.assertNotIn("Old.", page)
        self.assertEqual(page.count("### M"), 1)
        self.assertEqual(page.count("| a.gguf |"), 1)
        self.assertEqual(page.count("| b.gguf |"), 1)
        self.assertIn("| b.gguf | load, seconds | 1.00 | 2.00 | 2.00 |  |", page)

    def test_machines_do_not_touch_each_other(self):
        page = rewrite(PAGE, "M", ["One."], {"a.gguf": [ROW]})
        page = rewrite(page, "N", ["Two."], {"a.gguf": [ROW]})
        self.assertIn("### M\n\nOne.", page)
        self.assertIn("### N\n\nTwo.", page)
        self.assertEqual(rewrite(page, "N", ["Two."], {"a.gguf": [ROW]}),
                         page)

    def test_a_page_without_the_part_is_an_error(self):
        for page in ("", BEGIN, END, f"{END}\n{BEGIN}"):
            with self.assertRaises(bench_peer.BadPage):
                rewrite(page, "M", [], {})


if __name__ == "__main__":
    unittest.main()
