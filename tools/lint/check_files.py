#!/usr/bin/env python3
"""Checks what every file of the tree must keep to.

Length, headers (guard, opening comment, nothing heavy), and words that do not
belong in a published tree: package registries' hosts, paths of one machine,
marks of unfinished work.
"""

import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tree  # noqa: E402

SOFT_LINES = 500
HARD_LINES = 800

# Data and texts that are not ours to shorten.
LENGTH_EXEMPT_SUFFIXES = (".json", ".jsonl", ".txt", ".md", ".tsv", ".csv")
EXEMPT_NAMES = ("LICENSE",)

# Headers that slow every file that sees them; wrappers keep them in a .cc.
HEAVY = re.compile(
    r"^\s*#\s*include\s*[<\"](nlohmann/json\.hpp|CLI/|boost/beast|boost/asio|"
    r"regex>|iostream>|curl/|sqlite3\.h|histedit\.h|openssl/)", re.M)

# SHA-256 of hosts of package registries, so that none is named here either.
HOSTS = {
    "00a7dc5a0cc388586b8665846e7d8ae94a6dd096f2aa1aa3b4aab4ac484f998a",
    "1ba4e37997a2e986efa6cd844e43fd25b9e816359d31612baa9c18b71e3b5294",
    "2e97613f5a81eaa4f8a58f552a005713c0c8f333e026efb7771ad28429532374",
    "3ca29e55be4befa48f875d24c27f9bed32fe06588819ed6264084b6670a1ebb0",
    "41b464c047c28da294409530fd0a8d08e110b5c9de14e49a71315ab3d6d5d090",
    "71741fe2460a615058687c4585f665af5e825968e51a512ffb14c6f2684a397d",
    "789e46d79514e28093cabe2bb4a0798266f584b0e508ef269ebabb6e57859290",
    "8743857e3ea00fd1c64bbc68b8af241954ad2c285e7a60340eec7ea5dcb200db",
    "87d14f070cb9686970d008f9f94e668075fd37620381409858bf040ae1271d51",
    "89389784c68edf233a8f96462261d7f2edef2da9d66cd40138ed446219c77e4a",
    "8b5bb5eb9d758455b8635855cf8aaf05b68775e3f83f0291e800ef338fb9783c",
    "9da5f32d964125123cc368f231b473bea59307f811c7b9b2e731601e586b82b5",
    "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41",
    "ae0e9bceb9fb1084807af4455bedcb440a25e9574e1eda39c332274cb08a91a5",
    "c2b35955576ffa710bfb7c4e5de8141335829cb1333377cbaf7daaeff9647b35",
    "c3db8466ffcd858989be3a43536c07568731e95124fb23850abac30074fac4f3",
    "e680c440a2e92079ab1bf7a927e8d3920f1bcd173c0487e28e020110b2e59efc",
}
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")

MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])/(?:work|farm|root|tmp/w|home/(?!USER|you|me\b)\w+)/")
# A mark of unfinished work, written so that this file does not carry it.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


def check_length(path, text):
    """Returns (errors, warnings)."""
    if path.suffix in LENGTH_EXEMPT_SUFFIXES or path.name in EXEMPT_NAMES:
        return [], []
    lines = text.count("\n")
    if lines > HARD_LINES:
        return [f"{path}: {lines} lines; {HARD_LINES} is the limit, split it"
                ], []
    if lines > SOFT_LINES:
        return [], [f"{path}: {lines} lines; aim for {SOFT_LINES} at most"]
    return [], []


def guard_of(path):
    """src/base/status.h -> CARAT_BASE_STATUS_H_."""
    parts = path.parts[1:] if path.parts[0] in ("src", "include") else (
        path.parts)
    if parts[0] != "carat":
        parts = ("carat", *parts)
    return re.sub(r"[^A-Za-z0-9]", "_", "_".join(parts)).upper() + "_"


def check_header(path, text):
    errors = []
    guard = guard_of(path)
    # x-inl.h is included several times over, once in each instruction set.
    repeated = path.stem.endswith("-inl")
    if not repeated and not re.search(rf"^#ifndef {guard}\n#define {guard}\n", text, re.M):
        errors.append(f"{path}: the include guard should be {guard}")
    if not re.match(r"(//|/\*)", text):
        errors.append(f"{path}: opens without a comment that says what it is "
                      "for")
    for match in HEAVY.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        errors.append(f"{path}:{line}: {match[1]} is too heavy for a header; "
                      "include it in the .cc")
    return errors


def names_registry(host):
    """Whether the host or a domain that it lies in is a registry's."""
    labels = host.split(".")
    return any(
        hashlib.sha256(".".join(labels[i:]).encode()).hexdigest() in HOSTS
        for i in range(len(labels) - 1))


def check_words(path, text):
    if path.name in EXEMPT_NAMES:
        return []
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        for host in HOST.findall(line.lower()):
            if names_registry(host):
                errors.append(f"{where}: names the package registry {host}")
        if match := MACHINE_PATH.search(line):
            errors.append(f"{where}: {match[0]} is a path of one machine")
        if match := UNFINISHED.search(line):
            errors.append(f"{where}: {match[0]} marks unfinished work; say in "
                          "docs what is missing, or do it")
    return errors


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def check_links(path, text, top=tree.TOP):
    """Links of a page to other files of the tree lead somewhere."""
    return [f"{path}: links to {target}, which does not exist"
            for target in LINK.findall(text)
            if "://" not in target and not target.startswith("mailto:")
            and not (top / path.parent / target).exists()]


def check_file(path, text):
    """Returns (errors, warnings) of one file."""
    errors, warnings = check_length(path, text)
    # Test data carries foreign text, and long lines of it.
    if path.parts[:2] != ("tests", "data"):
        errors = errors + check_words(path, text)
    if path.suffix == ".h" and path.parts[0] in ("src", "include"):
        errors = errors + check_header(path, text)
    if path.suffix == ".md":
        errors = errors + check_links(path, text)
    return errors, warnings


def check(top=tree.TOP):
    errors, warnings = [], []
    for path in tree.files(top):
        text = tree.text_of(top / path)
        if text is not None:
            more_errors, more_warnings = check_file(path, text)
            errors += more_errors
            warnings += more_warnings
    return errors, warnings


if __name__ == "__main__":
    found, noted = check()
    for note in noted:
        print(f"warning: {note}")
    print("\n".join(found) or "files: fine")
    sys.exit(1 if found else 0)
