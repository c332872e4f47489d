#!/usr/bin/env python3
"""Makes the tokenizer files that the checks and tests read.

    make_tokenizer_data.py small  GEMMA3_TOKENIZER_JSON OUT_FOLDER
    make_tokenizer_data.py full   GEMMA3_TOKENIZER_JSON OUT_FOLDER

small: a few thousand of Gemma 3's pieces with their merges (small_gemma3.json),
the same relaid as Gemma 4 does it (small_gemma4.json), and golden.json: strings
with the ids that the Python package `tokenizers` gives for both and for the
whole Gemma 3 vocabulary. tests/data/tokenizer holds the result.

full: the whole vocabulary relaid as Gemma 4 (gemma4.json, gemma4.gguf) and as
a SentencePiece model (gemma3.model). No package ships Gemma 4's own file, so
its layout is taken from the specification: 24 special tokens, whitespace runs
and HTML tags as ordinary pieces, the same merges.
"""

import copy
import json
import pathlib
import random
import re
import struct
import sys

import check_tokenizer
import tokenizer_strings

SPACE = "\u2581"

GEMMA4_MARKERS = {
    46: "<|tool>", 47: "<tool|>", 48: "<|tool_call>", 49: "<tool_call|>",
    50: "<|tool_response>", 51: "<tool_response|>", 52: '<|"|>',
    98: "<|think|>", 100: "<|channel>", 101: "<channel|>", 105: "<|turn>",
    106: "<turn|>", 255999: "<|image>", 256000: "<|audio>",
    258880: "<|image|>", 258881: "<|audio|>", 258882: "<image|>",
    258883: "<audio|>", 258884: "<|video|>",
}
GEMMA4_PLAIN_MARKERS = [  # typed user-defined in GGUF
    "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>",
    "<|tool_response>", "<tool_response|>", '<|"|>',
]


def gemma4_like(gemma3):
    """Gemma 3's tokenizer.json with Gemma 4's markers and pipeline."""
    data = copy.deepcopy(gemma3)
    by_id = {i: piece for piece, i in data["model"]["vocab"].items()}
    for index, piece in GEMMA4_MARKERS.items():
        if index in by_id:
            by_id[index] = piece
    data["model"]["vocab"] = {by_id[i]: i for i in sorted(by_id)}
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    specials += GEMMA4_MARKERS.values()
    data["added_tokens"] = [
        {"id": i, "content": by_id[i], "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for i in sorted(by_id) if by_id[i] in specials
    ]
    data["post_processor"] = None
    return data


def shrunken(gemma3, size):
    """The `size` most urgent pieces that merging reaches, ids closed up."""
    vocab = gemma3["model"]["vocab"]
    names = {i: piece for piece, i in vocab.items()}
    merges = [tuple(merge) for merge in gemma3["model"]["merges"]]
    # The first 238 ids are markers, whitespace runs and tags, then bytes; the
    # rest of the fixed pieces are tab runs and two image markers.
    keep = {names[i] for i in list(range(58)) + list(range(98, 494))}
    keep |= {"<start_of_image>", "<end_of_image>"}
    keep |= {"\t" * n for n in range(1, 32)}
    letters = [c for c in vocab if len(c) == 1 and (c.isascii() or c == SPACE)]
    keep |= set(letters)
    # Single characters come last and most used first; then whole words.
    singles = sorted((i, p) for p, i in vocab.items() if len(p) == 1)
    keep |= {piece for _, piece in singles[:500]}
    reached = 0
    for left, right in merges:
        whole = left + right
        if whole in keep or left not in keep or right not in keep:
            continue
        keep.add(whole)
        reached += 1
        if reached == size:
            break
    data = copy.deepcopy(gemma3)
    order = sorted((i, piece) for piece, i in vocab.items() if piece in keep)
    small = {piece: index for index, (_, piece) in enumerate(order)}
    data["model"]["vocab"] = small
    data["model"]["merges"] = [
        [left, right] for left, right in merges
        if left in small and right in small and left + right in small
    ]
    added = [t for t in data["added_tokens"] if t["content"] in small]
    for token in added:
        token["id"] = small[token["content"]]
    data["added_tokens"] = added
    data["post_processor"] = None
    return data


def small_gemma4_like(small3):
    """As gemma4_like, but the markers take the places of unused pieces."""
    vocab = small3["model"]["vocab"]
    data = copy.deepcopy(small3)
    fixed = {"<start_of_turn>": "<|turn>", "<end_of_turn>": "<turn|>",
             "<start_of_image>": "<|image>", "<end_of_image>": "<|audio>"}
    others = [m for m in GEMMA4_MARKERS.values() if m not in fixed.values()]
    unused = [p for p in vocab if p.startswith("<unused")]
    fixed.update(zip(unused, others))
    data["model"]["vocab"] = {fixed.get(p, p): i for p, i in vocab.items()}
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *fixed.values()]
    data["added_tokens"] = [
        {"id": i, "content": p, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for p, i in data["model"]["vocab"].items() if p in specials
    ]
    return data


def both_ways(data, texts):
    """Ids per text; [plain, parse] where the two differ."""
    answers = []
    for plain in (True, False):
        reference = check_tokenizer.reference_from(copy.deepcopy(data), plain)
        answers.append(
            [e.ids for e in
             reference.encode_batch(texts, add_special_tokens=False)]
        )
    return [
        plain if plain == parse else [plain, parse]
        for plain, parse in zip(*answers)
    ]


def dump(path, value):
    """Writes JSON in lines of about 100 characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    lines, start, quoted, escaped = [], 0, False, False
    for i, c in enumerate(text):
        if c == '"' and not escaped:
            quoted = not quoted
        escaped = c == "\\" and not escaped
        if c == "," and not quoted and i - start > 100:
            lines.append(text[start:i + 1])
            start = i + 1
    lines.append(text[start:])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_small(gemma3, folder):
    small3 = shrunken(gemma3, 2000)
    small4 = small_gemma4_like(small3)
    dump(folder / "small_gemma3.json", small3)
    dump(folder / "small_gemma4.json", small4)
    maker = tokenizer_strings.Maker(
        random.Random(7), list(gemma3["model"]["vocab"]), library=False
    )
    texts = list(tokenizer_strings.SENTENCES)
    # The one piece of tokenizer.json that GGUF files lack.
    texts += [t[:70] for t in maker.make(240)
              if "<image_soft_token>" not in t[:70]]
    dump(folder / "golden.json", {
        "texts": texts,
        "small_gemma3": both_ways(small3, texts),
        "small_gemma4": both_ways(small4, texts),
        "gemma3": both_ways(gemma3, texts),
    })


def write_gguf(path, data):
    import gguf

    vocab = data["model"]["vocab"]
    pieces = sorted(vocab, key=vocab.get)
    special = {t["content"] for t in data["added_tokens"]}
    types, scores = [], []
    for piece in pieces:
        kind = gguf.TokenType.NORMAL
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            kind = gguf.TokenType.BYTE
        elif piece == "<unk>":
            kind = gguf.TokenType.UNKNOWN
        elif piece in GEMMA4_PLAIN_MARKERS:
            kind = gguf.TokenType.USER_DEFINED
        elif piece in special:
            kind = gguf.TokenType.CONTROL
        types.append(kind)
        scores.append(-1000.0 if piece in special else 0.0)
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_token_merges([f"{a} {b}" for a, b in data["model"]["merges"]])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(106)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def varint(value):
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes(data) + bytes([value])


def field(number, value):
    """One protobuf field: bytes, a float or a whole number."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def write_sentencepiece(path, gemma3):
    """Field numbers: sentencepiece_model.proto."""
    normal, unknown, control, user_defined, byte = 1, 2, 3, 4, 6
    vocab = gemma3["model"]["vocab"]
    added = {t["content"] for t in gemma3["added_tokens"]}
    model = b""
    rank = 0
    for piece in sorted(vocab, key=vocab.get):
        kind, score = normal, 0.0
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            kind = byte
        elif piece == "<unk>":
            kind = unknown
        elif piece in added:
            marker = tokenizer_strings.is_marker(piece)
            kind = control if marker else user_defined
        else:
            score = float(-rank)
            rank += 1
        entry = field(1, piece.encode()) + field(2, score) + field(3, kind)
        model += field(1, entry)
    bpe = 2
    model += field(2, field(3, bpe) + field(4, len(vocab)) + field(35, 1)
                   + field(40, 3) + field(41, 2) + field(42, 1) + field(43, 0))
    no_prefix = field(1, b"identity") + field(3, 0) + field(4, 0)
    model += field(3, no_prefix)
    path.write_bytes(model)


def make_full(gemma3, folder):
    gemma4 = gemma4_like(gemma3)
    dump(folder / "gemma4.json", gemma4)
    write_gguf(folder / "gemma4.gguf", gemma4)
    write_sentencepiece(folder / "gemma3.model", gemma3)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("small", "full"):
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8") as file:
        gemma3 = json.load(file)
    folder = pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    (make_small if sys.argv[1] == "small" else make_full)(gemma3, folder)


if __name__ == "__main__":
    main()
