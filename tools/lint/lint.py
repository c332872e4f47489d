#!/usr/bin/env python3
"""Runs every lint check and prints 'N passed, N failed, N skipped'."""

import ast
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_files  # noqa: E402
import check_layers  # noqa: E402
import tree  # noqa: E402

CLANG_FORMAT = "clang-format-19"


class Skipped(Exception):
    """Why a check cannot run here."""


def layers():
    return check_layers.check()


def files():
    errors, warnings = check_files.check()
    for warning in warnings:
        print(f"warning: {warning}")
    return errors


def run(command, paths):
    """The lines that the tool complains with."""
    if not paths:
        return []
    done = subprocess.run([*command, *map(str, paths)], cwd=tree.TOP,
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return []
    return done.stdout.splitlines() or [f"{command[0]} failed silently"]


def need(tool, package):
    if not shutil.which(tool):
        raise Skipped(f"{tool} is not here (Debian package {package})")


def formatting():
    need(CLANG_FORMAT, CLANG_FORMAT)
    ours = [p for p in tree.files() if tree.is_ours_cpp(p)]
    lines = run([CLANG_FORMAT, "--dry-run", "-Werror"], ours)
    wrong = sorted({line.split(":")[0] for line in lines if ": error:" in line})
    return [f"{path}: not formatted; ./dev format does it" for path in wrong
            ] or lines


def scripts():
    found = []
    for path in tree.files():
        if path.suffix == ".sh":
            found.append(path)
        elif not path.suffix:
            with open(tree.TOP / path, "rb") as file:
                first = file.readline(80)
            if first.startswith(b"#!") and b"sh" in first.split(b"/")[-1]:
                found.append(path)
    return found


def shell():
    return [line for path in scripts() for line in run(["bash", "-n"], [path])]


def shellcheck():
    need("shellcheck", "shellcheck")
    return run(["shellcheck", "--external-sources", "--format=gcc"], scripts())


def python():
    errors = []
    for path in tree.files():
        if path.suffix == ".py":
            try:
                ast.parse((tree.TOP / path).read_bytes(), str(path))
            except SyntaxError as error:
                errors.append(f"{path}:{error.lineno}: {error.msg}")
    return errors


CHECKS = [layers, files, formatting, shell, shellcheck, python]


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for check in CHECKS:
        try:
            errors = check()
            verdict = "failed" if errors else "passed"
            print("".join(error + "\n" for error in errors), end="")
        except Skipped as reason:
            verdict = f"skipped: {reason}"
        counts[verdict.split(":")[0]] += 1
        print(f"lint: {check.__name__} {verdict}", flush=True)
    print(", ".join(f"{number} {name}" for name, number in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
