"""The lint checks find what they are for, and only that."""

import hashlib
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_files  # noqa: E402
import check_layers  # noqa: E402
import lint  # noqa: E402
import tree  # noqa: E402

Path = pathlib.Path
ORDER = ["base", "kernels", "chat", "server", "cli"]


class LayersTest(unittest.TestCase):

    def complaints(self, path, text):
        return check_layers.check_file(Path(path), text, ORDER)

    def test_order_comes_from_cmake(self):
        text = ("# carat_room(comment)\ncarat_room(base LINK PUBLIC fmt)\n"
                "carat_room(tensor)\nif(X)\n  carat_program(carat cli)\n")
        self.assertEqual(check_layers.room_order(text),
                         ["base", "tensor", "cli"])

    def test_the_tree_names_its_rooms(self):
        order = check_layers.room_order(
            (tree.TOP / "CMakeLists.txt").read_text())
        self.assertEqual((order[0], order[-1]), ("base", "cli"))
        self.assertIn("kernels", order)

    def test_rooms_above_and_own_room_are_allowed(self):
        text = ('#include "base/status.h"\n#include "chat/message.h"\n'
                '#include "carat/engine.h"\n#include <vector>\n')
        self.assertEqual(self.complaints("src/chat/x.cc", text), [])

    def test_a_room_below_is_refused_with_its_line(self):
        found = self.complaints("src/base/x.h", '\n#include "chat/m.h"\n')
        self.assertEqual(len(found), 1)
        self.assertIn("src/base/x.h:2:", found[0])
        self.assertIn("chat stands below base", found[0])

    def test_spacing_does_not_hide_an_include(self):
        found = self.complaints("src/base/x.h", '  #  include "chat/m.h"\n')
        self.assertEqual(len(found), 1)

    def test_an_include_without_room_is_refused(self):
        self.assertTrue(self.complaints("src/chat/x.cc", '#include "m.h"\n'))

    def test_public_headers_include_nothing_of_src(self):
        self.assertTrue(self.complaints("include/carat/carat.h",
                                        '#include "base/status.h"\n'))
        self.assertEqual(self.complaints("include/carat/carat.h",
                                         '#include "carat/event.h"\n'), [])

    def test_an_unknown_room_is_refused(self):
        self.assertTrue(self.complaints("src/attic/x.cc", ""))

    def test_intrinsics_stay_in_kernels(self):
        text = "#include <immintrin.h>\n"
        self.assertTrue(self.complaints("src/chat/x.cc", text))
        self.assertEqual(self.complaints("src/kernels/x.cc", text), [])

    def test_sockets_stay_in_server(self):
        text = "#include <sys/socket.h>\n"
        self.assertTrue(self.complaints("src/cli/x.cc", text))
        self.assertEqual(self.complaints("src/server/x.cc", text), [])


HEADER = ("// What it is for.\n#ifndef CARAT_BASE_X_H_\n"
          "#define CARAT_BASE_X_H_\n#endif\n")


class FilesTest(unittest.TestCase):

    def errors(self, path, text):
        return check_files.check_file(Path(path), text)[0]

    def test_a_good_header_passes(self):
        self.assertEqual(self.errors("src/base/x.h", HEADER), [])

    def test_guards_are_named_by_path(self):
        for path, guard in [
                ("src/base/thread_pool.h", "CARAT_BASE_THREAD_POOL_H_"),
                ("include/carat/engine.h", "CARAT_ENGINE_H_"),
                ("src/api/gemini/text.h", "CARAT_API_GEMINI_TEXT_H_")]:
            self.assertEqual(check_files.guard_of(Path(path)), guard)
        self.assertTrue(self.errors("src/base/y.h", HEADER))

    def test_headers_included_many_times_need_no_guard(self):
        self.assertEqual(self.errors("src/kernels/x-inl.h", "// Why.\n"), [])

    def test_a_header_opens_with_a_comment(self):
        bare = HEADER.split("\n", 1)[1]
        self.assertTrue(self.errors("src/base/x.h", bare))

    def test_heavy_headers_are_for_cc_files(self):
        text = "#include <nlohmann/json.hpp>\n"
        self.assertTrue(self.errors("src/base/x.h", HEADER + text))
        self.assertEqual(self.errors("src/base/x.cc", text), [])

    def test_length_warns_first_and_then_fails(self):
        path = Path("src/base/x.cc")
        self.assertEqual(check_files.check_length(path, "\n" * 500), ([], []))
        errors, warnings = check_files.check_length(path, "\n" * 501)
        self.assertEqual((errors, len(warnings)), ([], 1))
        errors, warnings = check_files.check_length(path, "\n" * 801)
        self.assertEqual((len(errors), warnings), (1, []))

    def test_marks_of_unfinished_work_fail(self):
        self.assertTrue(self.errors("src/base/x.cc", "// TO" "DO: later\n"))
        self.assertTrue(self.errors("docs/x.md", "FIX" "ME\n"))
        self.assertEqual(self.errors("src/base/x.cc", "int kMASTODON;\n"), [])

    def test_paths_of_one_machine_fail(self):
        for path in ("/wo" "rk/main/x", "see /ho" "me/bob/x",
                     "in /tm" "p/w/x"):
            self.assertTrue(self.errors("docs/x.md", path + "\n"), path)
        for path in ("src/work/x", "~/.cache/carat", "/home/USER/x",
                     "https://example.com/work/x"):
            self.assertEqual(self.errors("docs/x.md", path + "\n"), [], path)

    def test_registry_hosts_fail_in_any_subdomain(self):
        digest = hashlib.sha256(b"registry.example").hexdigest()
        with mock.patch.object(check_files, "HOSTS", {digest}):
            self.assertTrue(self.errors("a.md", "at https://registry.example"))
            self.assertTrue(self.errors("a.md", "files.Registry.example/x"))
            self.assertEqual(self.errors("a.md", "myregistry.example"), [])

    def test_known_hosts_are_digests(self):
        self.assertGreater(len(check_files.HOSTS), 10)
        for digest in check_files.HOSTS:
            self.assertRegex(digest, "^[0-9a-f]{64}$")

    def test_links_between_pages_lead_somewhere(self):
        self.assertEqual(self.errors(
            "docs/x.md", "[a](../README.md) [b](https://x.example/y) [c](#d)"
            " [e](README.md#f)"), [])
        self.assertEqual(len(self.errors("docs/x.md", "[a](lost.md)")), 1)

    def test_data_of_tests_may_hold_anything(self):
        self.assertEqual(self.errors("tests/data/x.txt", "TO" "DO"), [])


class LintTest(unittest.TestCase):

    def run_checks(self, *checks):
        with mock.patch.object(lint, "CHECKS", checks), \
                mock.patch("builtins.print") as printed:
            code = lint.main()
        return code, printed.call_args.args[0]

    def test_total_and_exit_code(self):
        def good():
            return []

        def bad():
            return ["x.cc: wrong"]

        def absent():
            raise lint.Skipped("no tool")

        self.assertEqual(self.run_checks(good, absent),
                         (0, "1 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.run_checks(good, bad),
                         (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_failing_tool_is_an_error_even_when_silent(self):
        self.assertTrue(lint.run(["false"], ["x"]))
        self.assertEqual(lint.run(["true"], ["x"]), [])

    def test_scripts_are_found_with_and_without_suffix(self):
        found = [str(p) for p in lint.scripts()]
        self.assertIn("dev", found)
        self.assertIn("tools/dev/dev.sh", found)
        self.assertNotIn("LICENSE", found)


if __name__ == "__main__":
    unittest.main()
