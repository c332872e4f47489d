#!/usr/bin/env python3
"""Writes the seeds of the format fuzzers into tests/fuzz/corpus/.

Needs only Python. Small files that reach every branch of the parsers, so that
the fuzzers need not find magic numbers by themselves.
"""

import hashlib
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f",
         BOOL: "B", U64: "Q", I64: "q", F64: "d"}


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, item):
    return string(item) if kind == STR else struct.pack("<" + CODES[kind], item)


def key(name, kind, item):
    return string(name) + struct.pack("<I", kind) + value(kind, item)


def array(name, kind, items):
    head = string(name) + struct.pack("<IIQ", ARR, kind, len(items))
    return head + b"".join(value(kind, item) for item in items)


def gguf(version, keys, tensors, align=32):
    """tensors: (name, dims fastest first, type id, bytes)."""
    infos, data = b"", b""
    for name, dims, kind, size in tensors:
        data += b"\0" * (-len(data) % align)
        infos += string(name) + struct.pack("<I", len(dims))
        infos += struct.pack(f"<{len(dims)}Q", *dims)
        infos += struct.pack("<IQ", kind, len(data))
        data += bytes(i * 7 % 256 for i in range(size))
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    head += b"".join(keys) + infos
    return head + b"\0" * (-len(head) % align) + data


# Type id -> elements and bytes of a block.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22),
          7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110),
          12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66),
          17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
          21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1),
          25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56),
          30: (1, 2), 39: (32, 17)}


def gguf_seeds():
    scalars = [key(f"k{kind}", kind, 1) for kind in CODES]
    scalars.append(key("general.architecture", STR, "gemma3"))
    arrays = [array(f"a{kind}", kind, [0, 1]) for kind in CODES]
    arrays.append(array("tokens", STR, ["<pad>", "a", ""]))
    split = [key("split.no", U16, 0), key("split.count", U16, 2),
             key("split.tensors.count", I32, 1)]
    yield "empty", gguf(3, [], [])
    yield "scalars", gguf(3, scalars, [])
    yield "arrays", gguf(2, arrays, [])
    yield "split", gguf(3, split, [("t", [2, 3, 4, 5], 0, 480)])
    yield "aligned", gguf(3, [key("general.alignment", U32, 64)],
                          [("a", [4], 0, 16), ("b", [], 1, 2)], 64)
    for kind, (block, size) in BLOCKS.items():
        yield f"type{kind}", gguf(3, [], [("t", [block], kind, size)])


def safetensors(tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, size in tensors:
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + size]}
        data += bytes(size)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def safetensors_seeds():
    yield "empty", safetensors([])
    yield "mixed", safetensors(
        [("a", "F64", [1], 8), ("b", "I64", [1, 1], 8), ("c", "F32", [2], 8),
         ("d", "I32", [], 4), ("e", "BF16", [2], 4), ("f", "F16", [2, 1], 4),
         ("g", "I16", [1], 2), ("h", "I8", [3], 3), ("i", "I8", [0, 9], 0)],
        {"format": "pt"})
    yield "index", json.dumps(
        {"metadata": {"total_size": 8},
         "weight_map": {"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}}).encode()


def config_seeds():
    yield "config", json.dumps(
        {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
         "hidden_size": 640, "rms_norm_eps": 1e-06, "tie": True, "cap": None,
         "layer_types": ["sliding_attention", "full_attention"],
         "rope_parameters": {"full_attention": {"rope_theta": 1e6}}}).encode()
    yield "template", json.dumps({"chat_template": "{{ bos_token }}"}).encode()
    yield "templates", json.dumps(
        {"chat_template": [{"name": "default", "template": "x"}]}).encode()
    yield "numbers", (b"[0,-1,9223372036854775807,18446744073709551615,1e308,"
                      b"-0.0,5e-324,1E+2,0.1]")
    yield "strings", rb'["\u00e9\ud83d\ude00\n\t\"\\\/", "\u0000"]'


def page_file(groups, blocks, present):
    """The header of a file of cached pages (src/kv/page_file.h)."""
    out = b"CARATKV\n" + struct.pack("<IIIIq16x", 1, groups, blocks, 64, 32)
    out += bytes(range(32)) + bytes(16)
    out += struct.pack(f"<{groups}Q", *(100 * (g + 1) for g in range(groups)))
    out += struct.pack(f"<{64 * blocks}i", *range(64 * blocks))
    out += bytes(present) + bytes(8 * groups * blocks)
    out += hashlib.sha256(out).digest()
    out += bytes(-len(out) % 4096)
    return out + b"".join(bytes(100 * (i % groups + 1))
                          for i, there in enumerate(present) if there)


def page_file_seeds():
    yield "one_block", page_file(1, 1, [1])
    yield "two_groups", page_file(2, 3, [1, 0, 1, 0, 1, 1])
    yield "no_pages", page_file(1, 2, [0, 0])


def main():
    for target, seeds in (("gguf", gguf_seeds),
                          ("safetensors", safetensors_seeds),
                          ("config_json", config_seeds),
                          ("page_file", page_file_seeds)):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
