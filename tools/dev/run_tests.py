#!/usr/bin/env python3
"""Builds and checks the tree in stages, then prints one total.

The last line is 'N passed, N failed, N skipped' over everything: each
GoogleTest case, Python test case, lint check, fuzz target. The exit code is 0
when nothing failed. Each stage's time is printed, so that a slow one is seen.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parents[2]
DEV = TOP / "tools" / "dev"
BUILD = TOP / "build"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
JOBS = max(1, len(os.sched_getaffinity(0)))

# Run for Arm under qemu: everything below the models, which is where the
# instruction sets differ.
CROSS_TESTS = ["base_test", "tensor_test", "kernels_test"]

STAGES = ["packages", "build", "lint", "model", "tests", "python",
          "conformance", "fuzz", "cross"]
FAST = ["packages", "build", "lint", "tests", "python"]


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        return (f"{self.passed} passed, {self.failed} failed, "
                f"{self.skipped} skipped")


PASSED = Count(passed=1)
FAILED = Count(failed=1)
SKIPPED = Count(skipped=1)


class StageFailed(Exception):
    """What follows makes no sense, e.g. the build broke."""


def run(command, **options):
    """Runs a command in the tree; returns its exit code."""
    return subprocess.run([str(c) for c in command], cwd=TOP, check=False,
                          stdin=subprocess.DEVNULL, **options).returncode


def must(command, what):
    if run(command) != 0:
        raise StageFailed(what)


# Packages and build.


def packages(options):
    sections = {"build": ["build", "test"], "lint": ["lint"],
                "model": [] if has_pip() else ["model"], "fuzz": ["fuzz"],
                "cross": ["cross"],
                "conformance": [] if shutil.which("npm") and has_pip()
                else ["conformance"]}
    wanted = [s for stage in options.stages for s in sections.get(stage, [])]
    if "fuzz" in wanted or "cross" in wanted:
        wanted = ["build"] + [s for s in wanted if s != "build"]
    must([DEV / "install.sh", *wanted], "packages could not be installed")
    return Count()


def has_pip():
    return subprocess.run([sys.executable, "-c", "import pip"], check=False,
                          capture_output=True).returncode == 0


def configure(preset, *extra):
    must(["cmake", "--preset", preset, *extra], f"cmake --preset {preset}")


def build(_):
    configure("release", "-DCARAT_TESTS=ON")
    must(["ninja", "-C", BUILD / "release", "all", "test_tools"],
         "the release build")
    return PASSED


def lint(_):
    log = subprocess.run([sys.executable, TOP / "tools/lint/lint.py"],
                         cwd=TOP, check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(log.stdout, end="")
    return plain_count(log.stdout, log.returncode)


def plain_count(text, code):
    """The last 'N passed, N failed, N skipped' of a tool's output."""
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text,
                       re.M)
    if not found:
        return FAILED
    count = Count(*map(int, found[-1]))
    return count + FAILED if code != 0 and count.failed == 0 else count


def model(_):
    """Fetches the default model; without it its tests skip themselves."""
    log = subprocess.run([sys.executable, DEV / "fetch_model.py"], cwd=TOP,
                         check=False, text=True, stdout=subprocess.PIPE)
    if log.returncode != 0:
        print("NOTICE: the default model could not be fetched (reason above), "
              "so the tests that need it are skipped.")
        return SKIPPED
    os.environ["CARAT_TEST_MODEL"] = log.stdout.strip()
    print(f"CARAT_TEST_MODEL={log.stdout.strip()}")
    return PASSED


# GoogleTest under ctest.


def count_gtest(path):
    """Counts the cases of one GoogleTest XML report."""
    count = Count()
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            count += FAILED
        elif case.get("result") == "skipped" or case.get("status") == "notrun":
            count += SKIPPED
        else:
            count += PASSED
    return count


def count_ctest(junit, reports):
    """Counts a ctest run by its programs' own reports where they left one.

    A program that failed without reporting a failed case (a crash, a time
    limit, a missing file) counts as one failure more.
    """
    total = Count()
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        ok = case.get("status") == "run"
        report = reports / f"{case.get('name')}.xml"
        try:
            count = count_gtest(report)
        except (OSError, xml.etree.ElementTree.ParseError):
            count = PASSED if ok else Count()
        if not ok and count.failed == 0:
            count += FAILED
        total += count
    return total


def ctest(preset, jobs, *selection):
    folder = BUILD / preset
    reports = folder / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    junit = reports / "ctest.xml"
    reports.mkdir()
    environment = dict(os.environ, GTEST_OUTPUT=f"xml:{reports}/",
                       GTEST_BRIEF="1")
    code = run(["ctest", "--test-dir", folder, "-j", jobs,
                "--output-on-failure", "--timeout", "900",
                "--output-junit", junit, *selection], env=environment)
    if not junit.exists():
        return FAILED
    count = count_ctest(junit, reports)
    if code != 0 and count.failed == 0:
        count += FAILED
    return count


def tests(_):
    # The Python tests of the commands are counted one by one further down.
    return ctest("release", JOBS, "-E", "_commands$")


# Tests written in Python: of the tools, and of the program from outside.


def count_unittest(text, code):
    """Counts from the closing lines of unittest."""
    ran = re.search(r"^Ran (\d+) tests? in", text, re.M)
    if not ran:
        return FAILED
    numbers = {key: int(number) for key, number in
               re.findall(r"(failures|errors|skipped)=(\d+)", text)}
    failed = numbers.get("failures", 0) + numbers.get("errors", 0)
    if code != 0 and failed == 0:
        failed = 1
    skipped = numbers.get("skipped", 0)
    return Count(max(0, int(ran[1]) - failed - skipped), failed, skipped)


def python(_):
    folders = sorted({path.parent for top in ("tests", "tools")
                      for path in (TOP / top).rglob("test_*.py")})
    environment = dict(os.environ, CARAT_BIN=str(BUILD / "release" / "carat"))
    total = Count()
    for folder in folders:
        log = subprocess.run(
            [sys.executable, "-m", "unittest", "discover", "-s", folder, "-p",
             "test_*.py"], cwd=TOP, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment)
        count = count_unittest(log.stdout, log.returncode)
        if count.failed:
            print(log.stdout, end="")
        print(f"{folder.relative_to(TOP)}: {count}", flush=True)
        total += count
    return total


def conformance(_):
    """Official clients against carat serve."""
    environment = dict(os.environ, CARAT_BIN=str(BUILD / "release" / "carat"))
    log = subprocess.run([sys.executable, TOP / "tests/conformance/run.py"],
                         cwd=TOP, check=False, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=environment)
    print(log.stdout, end="")
    return plain_count(log.stdout, log.returncode)


# Fuzzing.


def fuzz_one(name, seconds):
    """Runs one target on its kept corpus and its seeds."""
    folder = BUILD / "fuzz"
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    artifacts = folder / "artifacts"
    artifacts.mkdir(exist_ok=True)
    command = [folder / name, f"-max_total_time={seconds}", "-timeout=60",
               "-rss_limit_mb=2560", "-print_final_stats=1",
               f"-artifact_prefix={artifacts}/{name}-", corpus]
    seeds = TOP / "tests/fuzz/corpus" / name.removesuffix("_fuzz")
    if seeds.is_dir():
        command.append(seeds)
    words = TOP / "tests/fuzz" / f"{name.removesuffix('_fuzz')}.dict"
    if words.exists():
        command.append(f"-dict={words}")
    symbolizer = shutil.which("llvm-symbolizer-19")
    environment = dict(os.environ)
    if symbolizer:
        environment["ASAN_SYMBOLIZER_PATH"] = symbolizer
    log = subprocess.run([str(c) for c in command], cwd=TOP, check=False,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=environment)
    return name, log.returncode, log.stdout.decode(errors="replace")


def fuzz(options):
    names = sorted(p.stem for p in (TOP / "tests/fuzz").glob("*_fuzz.cc"))
    chosen = options.fuzz_targets.split()
    for name in chosen:
        if name not in names:
            raise StageFailed(f"there is no fuzz target {name}; there are "
                              f"{' '.join(names)}")
    names = chosen or names
    if not names:
        print("there are no fuzz targets")
        return Count()
    configure("fuzz")
    must(["ninja", "-C", BUILD / "fuzz", *names], "the fuzz build")
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(min(2, JOBS)) as pool:
        for name, code, log in pool.map(
                lambda n: fuzz_one(n, options.fuzz_seconds), names):
            units = re.search(r"number_of_executed_units: (\d+)", log)
            if code == 0:
                print(f"{name}: {units[1] if units else '?'} inputs in "
                      f"{options.fuzz_seconds} s, no fault", flush=True)
                total += PASSED
            else:
                print("\n".join(log.splitlines()[-60:]))
                print(f"{name}: FAILED with code {code}; the input is in "
                      f"build/fuzz/artifacts, to try it again: "
                      f"build/fuzz/{name} FILE", flush=True)
                total += FAILED
    return total


# Instruction sets that this machine lacks.


def cross(_):
    """64-bit Arm under qemu; AVX-512 through an emulating header."""
    must([DEV / "sysroot.sh"], "the Arm libraries could not be fetched")
    configure("cross-aarch64")
    must(["ninja", "-C", BUILD / "cross-aarch64", *CROSS_TESTS],
         "the Arm build")
    total = ctest("cross-aarch64", JOBS, "-R", f"^({'|'.join(CROSS_TESTS)})$")
    return total + emulated()


def emulated():
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        print("NOTICE: this CPU has no AVX2, on which AVX-512 is emulated")
        return SKIPPED
    configure("release")
    must(["ninja", "-C", BUILD / "release", "kernels_emulated"],
         "the build with emulated AVX-512")
    code = run([BUILD / "release" / "kernels_emulated"])
    return PASSED if code == 0 else FAILED


def summary(times, total):
    print()
    for name, seconds, count in times:
        print(f"{name:10} {seconds:7.1f} s   {count}")
    print(f"{'all':10} {sum(t[1] for t in times):7.1f} s")
    print(total)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__)
    parser.add_argument("--fast", action="store_true",
                        help="no model, clients, fuzzing or cross-building")
    parser.add_argument("--only", metavar="STAGE,...",
                        help=f"only these of {', '.join(STAGES)}")
    parser.add_argument("--fuzz-seconds", type=int, default=60 if IN_CI else 3,
                        help="for each target (default: %(default)s)")
    parser.add_argument("--fuzz-targets", default="", metavar="NAMES",
                        help="only these, separated by spaces")
    options = parser.parse_args(arguments)
    if options.only:
        options.stages = options.only.split(",")
    elif options.fast:
        options.stages = FAST
    else:
        options.stages = [s for s in STAGES if s != "cross" or IN_CI]
    unknown = set(options.stages) - set(STAGES)
    if unknown:
        parser.error(f"unknown stages: {', '.join(sorted(unknown))}")
    return options


def main(arguments):
    options = parse(arguments)
    times = []
    total = Count()
    for name in options.stages:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        broken = None
        try:
            count = globals()[name](options)
        except StageFailed as error:
            broken = error
            count = FAILED
            print(f"FAILED: {error}")
        times.append((name, time.monotonic() - start, count))
        print(f"-- {name}: {count}, {times[-1][1]:.1f} s", flush=True)
        total += count
        if broken and name in ("packages", "build"):
            break
    summary(times, total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
