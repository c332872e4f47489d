#!/usr/bin/env python3
"""Checks that every room of src/ includes only rooms above it.

The order is the order of the carat_room lines in CMakeLists.txt; the folder
of carat_program comes last. include/carat may be used by all and includes
nothing of src/. Intrinsics stay in kernels/, sockets in server/.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tree  # noqa: E402

ROOM = re.compile(r"^\s*carat_room\(\s*(\w+)", re.M)
PROGRAM = re.compile(r"^\s*carat_program\(\s*\w+\s+(\w+)", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)

# Header (a prefix of its name) -> the only room that may include it.
CONFINED = {
    "immintrin.h": "kernels",
    "x86intrin.h": "kernels",
    "arm_neon.h": "kernels",
    "cpuid.h": "kernels",
    "sys/socket.h": "server",
    "netinet/": "server",
    "arpa/inet.h": "server",
    "boost/asio": "server",
    "boost/beast": "server",
    "curl/": "store",
}


def room_order(cmake_text):
    """The rooms, lowest first."""
    return ROOM.findall(cmake_text) + PROGRAM.findall(cmake_text)


def check_file(path, text, order):
    """Complaints about one file; path is relative to the tree's top."""
    parts = path.parts
    if parts[0] == "include":
        own = None
    elif parts[0] == "src" and len(parts) > 2:
        own = parts[1]
        if own not in order:
            return [f"{path}: {own} is not a room that CMakeLists.txt names"]
    else:
        return []
    complaints = []
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        complaint = (check_own(own, match[2], order) if match[1] == '"' else
                     check_foreign(own, match[2]))
        if complaint:
            complaints.append(f"{path}:{line}: {complaint}")
    return complaints


def check_own(own, included, order):
    room = included.split("/")[0]
    if room == "carat":
        return None
    if "/" not in included or room not in order:
        return (f'"{included}" does not start with a room of src/ or with '
                "carat/; foreign headers go in <>")
    if own is None:
        return f'"{included}": the public headers include nothing of src/'
    if order.index(room) > order.index(own):
        return (f'"{included}": {room} stands below {own} in the house plan, '
                f"so {own} may not use it")
    return None


def check_foreign(own, included):
    for prefix, room in CONFINED.items():
        if included.startswith(prefix) and own != room:
            return f"<{included}> is for {room}/ only"
    return None


def check(top=tree.TOP):
    order = room_order((top / "CMakeLists.txt").read_text())
    complaints = []
    for path in tree.files(top):
        if tree.is_ours_cpp(path) and path.parts[0] in ("src", "include"):
            complaints += check_file(path, tree.text_of(top / path) or "",
                                     order)
    return complaints


if __name__ == "__main__":
    found = check()
    print("\n".join(found) or "layers: fine")
    sys.exit(1 if found else 0)
