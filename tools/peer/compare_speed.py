#!/usr/bin/env python3
"""Measures carat and llama.cpp on one file in turns; prints a table.

  compare_speed.py CARAT MODEL [--rounds 3] [--threads 2]
                   [--prefill 512,2048] [--decode-at 0,2048]
                   [--decode-tokens 32] [--rows 1,2,4,8]
                   [--run-with 'chrt -r 50'] [--json]

Each round runs one process of each, so that a machine that slows down slows
both; medians of the rounds are compared. The table is Markdown. Its last column
is the ratio of a program that did nothing but read the weights (decode) or
multiply small integers (prefill), as fast as this machine did in carat's runs.
"""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


# Measures of a process as a whole: where less is better.
WHOLE = {"load": ("load, seconds", 1.0), "memory": ("memory, MiB", 2.0**20)}


def key_of(result):
    return (result["kind"], result["tokens"], result["depth"],
            result.get("rows", 1))


def run(command):
    done = subprocess.run([str(c) for c in command], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def speeds(report):
    """{key_of(test): tokens a second of all rows, "load": seconds,
    "memory": most bytes resident}."""
    found = {key_of(r): r["tokens_per_second"] for r in report["results"]}
    found["load"] = report["loads"][0]["seconds"]
    found["memory"] = report["loads"][0]["peak_bytes"]
    return found


def limits(report):
    """{key_of(test): tokens a second at the machine's limit}."""
    return {key_of(r): r["tokens_per_second"] / r["share_of_limit"]
            for r in report["results"] if r.get("share_of_limit")}


def medians(rounds):
    return {key: statistics.median(r[key] for r in rounds)
            for key in rounds[0]}


def rows_of(ours, peers, most):
    """One row a test: name, ours, theirs, ratio (above 1: carat is faster),
    ratio at the limit `most`, None where there is none."""
    rows = []
    for key, mine in ours.items():
        theirs = peers[key]
        if key in WHOLE:
            name, unit = WHOLE[key]
            rows.append((name, mine / unit, theirs / unit, theirs / mine,
                         None))
        else:
            kind, tokens, depth, count = key
            name = f"{kind} {tokens}"
            name += f" at {depth}" if kind == "decode" else ""
            name += f", {count} rows" if count > 1 else ""
            limit = most[key] / theirs if key in most else None
            rows.append((f"{name}, tokens/s", mine, theirs, mine / theirs,
                         limit))
    return rows


def cells(row):
    """A row's text in a table."""
    name, *numbers = row
    return " | ".join([name] + ["" if n is None else f"{n:.2f}"
                                for n in numbers])


def table(rows):
    lines = ["| test | carat | llama.cpp | ratio | limit |",
             "| --- | --- | --- | --- | --- |"]
    lines += [f"| {cells(row)} |" for row in rows]
    return "\n".join(lines)


def peer_libraries():
    """Fetches the pinned library when it is not there; its folder."""
    done = subprocess.run([HERE / "setup.sh"], check=True, text=True,
                          stdout=subprocess.PIPE)
    return pathlib.Path(done.stdout.strip()).parent / "lib"


def compare(carat, model, options):
    """rows_of the medians of options.rounds runs of each in turns."""
    if options.rows != "1" and options.decode_at.split(",")[0] != "0":
        raise SystemExit("--rows are measured at depth 0: --decode-at has to "
                         f"begin with 0, not {options.decode_at}")
    shared = ["--threads", options.threads, "--prefill", options.prefill,
              "--decode-at", options.decode_at, "--decode-tokens",
              options.decode_tokens, "--rows", options.rows]
    before = shlex.split(options.run_with)
    ours = [*before, carat, "bench", model, "--json", "--quiet", "--repeats",
            "1", *shared]
    peers = [*before, sys.executable, HERE / "peer_speed.py",
             peer_libraries(), model, *shared]
    rounds = []
    for number in range(options.rounds):
        print(f"{model.name}: round {number + 1} of {options.rounds}",
              file=sys.stderr)
        rounds.append((run(ours), run(peers)))
    return rows_of(medians([speeds(r[0]) for r in rounds]),
                   medians([speeds(r[1]) for r in rounds]),
                   medians([limits(r[0]) for r in rounds]))


def add_options(parser):
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--prefill", default="512,2048")
    parser.add_argument("--decode-at", default="0,2048")
    parser.add_argument("--decode-tokens", default="32")
    parser.add_argument("--rows", default="1", help="sequences that generate "
                        "at once, behind no other tokens")
    parser.add_argument("--run-with", default="", metavar="COMMAND",
                        help="runs both programs, e.g. 'chrt -r 50'")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("carat", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    add_options(parser)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = compare(options.carat, options.model, options)
    if options.json:
        names = ("test", "carat", "peer", "ratio", "limit")
        print(json.dumps([dict(zip(names, row)) for row in rows], indent=2))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
