#!/usr/bin/env python3
"""Gathers the text that perplexity is measured on.

    make_corpus.py [OUT]         default: $CARAT_CACHE/corpus.txt, or
                                 ~/.cache/carat/corpus.txt

Licence texts of Debian's base-files and prose from the Perl documentation of
perl-modules, in a fixed order: about 38,000 Gemma tokens, the same on every
Debian 12. Prints the size and the SHA-256. Needs nothing but Python.
"""

import hashlib
import pathlib
import re
import sys

import cache

LICENCES = pathlib.Path("/usr/share/common-licenses")
LICENCE_FILES = ["Apache-2.0", "Artistic", "CC0-1.0", "GPL-1", "MPL-2.0"]
PERL = pathlib.Path("/usr/share/perl/5.36.0")
PERL_FILES = ["Test/Tutorial.pod", "Locale/Maketext/TPJ13.pod",
              "ExtUtils/MakeMaker/FAQ.pod", "IO/Compress/FAQ.pod"]
DEBIAN_12 = "b909fa79"  # first digits of the SHA-256 there


def read(path):
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        sys.exit(f"make_corpus: {error}; install base-files and perl-modules")
    # Runs of blank lines and trailing blanks say nothing about a model.
    text = re.sub(r"[ \t]+$", "", text.replace("\r\n", "\n"), flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def main():
    default = cache.folder() / "corpus.txt"
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    paths = [LICENCES / name for name in LICENCE_FILES]
    paths += [PERL / name for name in PERL_FILES]
    data = "\n".join(map(read, paths)).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    print(f"{out}: {len(data)} bytes, sha256 {digest}")
    if not digest.startswith(DEBIAN_12):
        print("not the text of Debian 12 with perl 5.36: numbers measured on "
              "it do not compare with docs/verification.md", file=sys.stderr)


if __name__ == "__main__":
    main()
