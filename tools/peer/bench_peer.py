#!/usr/bin/env python3
"""Measures carat beside llama.cpp and keeps the tables of a page up to date.

  bench_peer.py CARAT PAGE MODEL... [options of compare_speed.py]

PAGE has a part between two markers that this program owns. It holds a table a
machine, known by its CPU, instruction set and number of CPUs; the rows of the
files measured now are replaced, others stay.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

import compare_speed

BEGIN = "<!-- ./dev bench --peer writes from here -->"
END = "<!-- to here -->"
MACHINE = "### "
HEAD = ["| file | test | carat | llama.cpp | ratio | limit |",
        "| --- | --- | --- | --- | --- | --- |"]


class BadPage(Exception):
    """The page lacks the part that tables go into."""


def read_sections(text):
    """{machine: [lines below its heading]} of the part between markers."""
    sections, lines = {}, []
    for line in text.splitlines():
        if line.startswith(MACHINE):
            lines = sections.setdefault(line[len(MACHINE):], [])
        elif line.strip():
            lines.append(line)
    return sections


def file_of(row):
    """The file of a table's row; None for the head and for other lines."""
    if row in HEAD or not row.startswith("| "):
        return None
    return row[2:].split(" | ")[0]


def rows_for(name, rows):
    return [f"| {name} | {compare_speed.cells(row)} |" for row in rows]


def with_measured(lines, notes, measured):
    """A machine's lines with `notes` and the rows of {file: rows}."""
    kept = [line for line in lines
            if file_of(line) is not None and file_of(line) not in measured]
    new = [row for name, rows in measured.items()
           for row in rows_for(name, rows)]
    return notes + HEAD + sorted(kept + new, key=file_of)


def render(sections):
    out = []
    for machine, lines in sections.items():
        notes = [line for line in lines if not line.startswith("|")]
        table = [line for line in lines if line.startswith("|")]
        out.append("\n".join([MACHINE + machine, "", *notes, "", *table]))
    return "\n\n".join(out)


def rewrite(page, machine, notes, measured):
    """The page's text with the machine's table brought up to date."""
    before, begin, rest = page.partition(BEGIN)
    part, end, after = rest.partition(END)
    if not begin or not end:
        raise BadPage(f"the page needs the lines\n{BEGIN}\n{END}")
    sections = read_sections(part)
    sections[machine] = with_measured(sections.get(machine, []), notes,
                                      measured)
    return f"{before}{BEGIN}\n\n{render(sections)}\n\n{END}{after}"


def inspect(carat, model, threads):
    """What carat says about the machine, and its name here."""
    done = subprocess.run(
        [carat, "bench", model, "--json", "--quiet", "--prefill", "none",
         "--decode-at", "none", "--ctx", "256", "--threads", threads],
        check=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    cpus = os.cpu_count()
    return f"{report['cpu'] or 'unknown CPU'}, {report['isa']}, {cpus} CPUs", \
        report["machine"][0]


def notes_of(peak, options, date):
    command = "./dev bench --peer MODEL..."
    if options.run_with:
        command += f" --run-with '{options.run_with}'"
    return [
        f"{date}, `{command}`: {options.threads} threads, medians of "
        f"{options.rounds} rounds in turns; ratios above 1: carat is ahead. "
        "Limit: the ratio of a program that did nothing but read the weights "
        "(decode) or multiply 8-bit integers (prefill), as fast as the machine "
        "did in carat's runs.",
        f"The machine reads {peak['read_bytes_per_second'] / 1e9:.1f} GB/s and "
        f"does {peak['int8_operations_per_second'] / 1e12:.2f} TOPS of int8 "
        f"({peak['int8_instruction']}) with these threads."]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("carat", type=pathlib.Path)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path, nargs="+")
    compare_speed.add_options(parser)
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    rewrite(page, "x", [], {})  # fails early
    machine, peak = inspect(options.carat, options.models[0], options.threads)
    notes = notes_of(peak, options, datetime.date.today().isoformat())
    for model in options.models:
        rows = compare_speed.compare(options.carat, model, options)
        print(f"{model.name}\n{compare_speed.table(rows)}", flush=True)
        # After every file, and read again: measuring takes a while.
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(
            rewrite(page, machine, notes, {model.name: rows}),
            encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except BadPage as error:
        sys.exit(f"bench_peer: {error}")
