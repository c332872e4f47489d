#!/usr/bin/env python3
"""Compares carat's tokenizer with the reference implementation, id by id.

    check_tokenizer.py --reference tokenizer.json --carat "PROGRAM FILE" \
        [--count 60000] [--seed 1] [--model gemma3|gemma4]

PROGRAM FILE is started once plain and once with --parse; it reads one JSON
string per line and answers with one JSON array of ids per line
(tests/tools/tokenize_lines.cc). The reference is the Python package
`tokenizers` reading the same vocabulary:

* with control tokens on, its answer as it is;
* plain, its answer after the added tokens that are markers were taken out of
  its list (docs/tokenizer.md says which those are).

The last pass decodes every answer and compares with the text.
"""

import argparse
import json
import random
import shlex
import subprocess
import sys

import tokenizer_strings
from tokenizers import Tokenizer


def reference_from(data, plain):
    """The reference built from a parsed tokenizer.json."""
    if plain:
        data["added_tokens"] = [
            token
            for token in data["added_tokens"]
            if not token["special"]
            and not tokenizer_strings.is_marker(token["content"])
        ]
        # The template that adds <bos> refers to a token that is gone now.
        data["post_processor"] = None
    return Tokenizer.from_str(json.dumps(data, ensure_ascii=False))


def load_reference(path, plain):
    with open(path, encoding="utf-8") as file:
        return reference_from(json.load(file), plain)


def ask(command, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        command, input=text, stdout=subprocess.PIPE, encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(name, texts, expected, found):
    wrong = [i for i in range(len(texts)) if expected[i] != found[i]]
    print(f"{name}: {len(texts) - len(wrong)} of {len(texts)} equal")
    for i in wrong[:5]:
        print(f"  text     {texts[i]!r}"[:300])
        print(f"  expected {expected[i]}"[:300])
        print(f"  found    {found[i]}"[:300])
    return not wrong and len(expected) == len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", required=True)
    parser.add_argument("--carat", required=True, help='"PROGRAM FILE"')
    parser.add_argument("--count", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default=[], nargs="*",
                        help="strings that the other vocabulary lacks")
    args = parser.parse_args()

    command = shlex.split(args.carat)
    whole = load_reference(args.reference, plain=False)
    maker = tokenizer_strings.Maker(
        random.Random(args.seed), list(whole.get_vocab())
    )
    texts = [
        text
        for text in maker.make(args.count)
        if not any(missing in text for missing in args.without)
    ]
    good = True
    for name, plain in (("plain", True), ("parse", False)):
        reference = load_reference(args.reference, plain)
        expected = [
            encoding.ids
            for encoding in reference.encode_batch(
                texts, add_special_tokens=False
            )
        ]
        found = ask(command + ([] if plain else ["--parse"]), texts)
        good &= compare(name, texts, expected, found)
        if plain:
            back = ask(command + ["--decode"], found)
            spaced = [text.replace("\u2581", " ") for text in texts]
            good &= compare("round trip", texts, spaced, back)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
