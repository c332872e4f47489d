"""The total of ./dev test counts everything once and hides no failure."""

import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import run_tests  # noqa: E402
from run_tests import Count  # noqa: E402

DEV = pathlib.Path(__file__).resolve().parent

REPORT = """<?xml version="1.0"?>
<testsuites tests="4"><testsuite name="S" tests="4">
 <testcase name="A" status="run" result="completed" classname="S"/>
 <testcase name="B" status="run" result="completed" classname="S">
  <failure message="m"/></testcase>
 <testcase name="C" status="run" result="skipped" classname="S">
  <skipped message="m"/></testcase>
 <testcase name="D" status="notrun" result="suppressed" classname="S"/>
</testsuite></testsuites>"""

GOOD_REPORT = """<testsuites><testsuite>
 <testcase name="A" status="run" result="completed"/>
 <testcase name="B" status="run" result="completed"/>
</testsuite></testsuites>"""


class CountTest(unittest.TestCase):

    def test_closing_line_of_a_tool(self):
        text = "9 passed, 0 failed, 0 skipped\nx\n3 passed, 1 failed, 2 skipped"
        self.assertEqual(run_tests.plain_count(text, 1), Count(3, 1, 2))

    def test_a_tool_that_fails_without_saying_so_counts_as_failed(self):
        self.assertEqual(run_tests.plain_count("crash", 1), Count(0, 1, 0))
        self.assertEqual(run_tests.plain_count("", 0), Count(0, 1, 0))
        self.assertEqual(
            run_tests.plain_count("3 passed, 0 failed, 0 skipped", 2),
            Count(3, 1, 0))

    def test_unittest_closing_lines(self):
        for text, code, expected in [
                ("Ran 7 tests in 0.1s\n\nOK\n", 0, Count(7, 0, 0)),
                ("Ran 1 test in 0.1s\n\nOK (skipped=1)\n", 0, Count(0, 0, 1)),
                ("Ran 7 tests in 0.1s\n\nFAILED (failures=1, errors=2, "
                 "skipped=3)\n", 1, Count(1, 3, 3)),
                ("Traceback", 1, Count(0, 1, 0)),
                ("Ran 2 tests in 0.1s\n\nOK\n", 139, Count(1, 1, 0))]:
            self.assertEqual(run_tests.count_unittest(text, code), expected)

    def ctest(self, cases, reports):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for test, report in reports.items():
                (folder / f"{test}.xml").write_text(report)
            junit = folder / "ctest.xml"
            junit.write_text("<testsuite>" + "".join(
                f'<testcase name="{test}" status="{status}"/>'
                for test, status in cases) + "</testsuite>")
            return run_tests.count_ctest(junit, folder)

    def test_gtest_cases_are_counted_one_by_one(self):
        self.assertEqual(
            self.ctest([("a_test", "fail")], {"a_test": REPORT}),
            Count(1, 1, 2))

    def test_a_crash_after_good_cases_is_a_failure(self):
        self.assertEqual(
            self.ctest([("a_test", "fail")], {"a_test": GOOD_REPORT}),
            Count(2, 1, 0))

    def test_a_crash_without_report_is_a_failure(self):
        for report in ({}, {"a_test": "<testsui"}):
            self.assertEqual(self.ctest([("a_test", "fail")], report),
                             Count(0, 1, 0))

    def test_programs_without_report_count_as_one(self):
        self.assertEqual(self.ctest([("a", "run"), ("b", "notrun")], {}),
                         Count(1, 1, 0))


class MainTest(unittest.TestCase):

    def run_main(self, *arguments, **stages):
        stubs = {name: mock.Mock(return_value=Count(passed=1))
                 for name in run_tests.STAGES}
        for name, effect in stages.items():
            stubs[name].side_effect = effect
        with mock.patch.multiple(run_tests, **stubs), \
                mock.patch("builtins.print") as printed:
            code = run_tests.main(list(arguments))
        ran = [name for name in run_tests.STAGES if stubs[name].called]
        return code, str(printed.call_args.args[0]), ran

    def test_last_line_is_the_plain_total(self):
        code, last, _ = self.run_main(
            "--only", "lint,tests", tests=lambda _: Count(4, 0, 2))
        self.assertEqual((code, last), (0, "5 passed, 0 failed, 2 skipped"))

    def test_any_failure_fails_the_run(self):
        code, last, _ = self.run_main(
            "--only", "lint,tests", lint=lambda _: Count(4, 1, 0))
        self.assertEqual((code, last), (1, "5 passed, 1 failed, 0 skipped"))

    def test_a_broken_build_stops_and_fails(self):
        def broken(_):
            raise run_tests.StageFailed("no")
        code, last, ran = self.run_main("--fast", build=broken)
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertEqual(ran, ["packages", "build"])

    def test_a_broken_later_stage_lets_others_run(self):
        def broken(_):
            raise run_tests.StageFailed("no")
        code, _, ran = self.run_main("--only", "fuzz,cross", fuzz=broken)
        self.assertEqual((code, ran), (1, ["fuzz", "cross"]))

    def test_ci_also_cross_builds_and_fuzzes_for_a_minute(self):
        for in_ci, seconds in ((True, 60), (False, 3)):
            with mock.patch.object(run_tests, "IN_CI", in_ci):
                options = run_tests.parse([])
            self.assertEqual("cross" in options.stages, in_ci)
            self.assertEqual(options.fuzz_seconds, seconds)


class ShellTest(unittest.TestCase):

    def dev(self, *arguments):
        return subprocess.run([DEV.parents[1] / "dev", *arguments],
                              check=False, text=True, capture_output=True)

    def test_help_names_every_command(self):
        done = self.dev("help")
        self.assertEqual(done.returncode, 0)
        for command in ("run", "test", "build", "bench", "lint", "format",
                        "fuzz", "cross"):
            self.assertRegex(done.stdout, rf"(?m)^  {command} ")

    def test_an_unknown_command_fails(self):
        done = self.dev("dance")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no command 'dance'", done.stderr)

    def test_sections_named_by_the_tools_exist(self):
        text = (DEV / "packages.txt").read_text()
        for section in ("build", "test", "lint", "bench", "peer", "model",
                        "fuzz", "cross", "sysroot"):
            self.assertIn(f"[{section}]\n", text)


if __name__ == "__main__":
    unittest.main()
