"""A 384-piece vocabulary with the shape of the Gemma tokenizers.

The low control ids (<pad> <eos> <bos> <unk> <mask>, the turn markers 105 and
106, the Gemma 4 tool and channel markers, the newline runs from 107 on) sit
where the released vocabularies have them. Byte tokens, letters and a handful
of merges fill the rest; the byte tokens start at 128 here, not at 238.
"""

import string

VOCAB_SIZE = 384
FIRST_BYTE = 128
SPACE = "\u2581"

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6

_COMMON_CONTROL = {0: "<pad>", 1: "<eos>", 2: "<bos>", 3: "<unk>", 4: "<mask>"}
_TURNS = {
    "gemma3": {105: "<start_of_turn>", 106: "<end_of_turn>"},
    "gemma4": {105: "<|turn>", 106: "<turn|>"},
}
_GEMMA4_CONTROL = {
    46: "<|tool>", 47: "<tool|>",
    48: "<|tool_call>", 49: "<tool_call|>",
    50: "<|tool_response>", 51: "<tool_response|>",
    52: '<|"|>', 98: "<|think|>",
    100: "<|channel>", 101: "<channel|>",
}
# Always rendered as text by the runtimes, although special in tokenizer.json.
_GEMMA4_USER_DEFINED = {48, 49, 50, 51, 52, 100, 101}
_NEWLINES = {107: "\n", 108: "\n\n", 109: "\n\n\n"}
_MERGED = (
    "th he in er an re on is it ou en at the ing and ion "
    f"{SPACE}t {SPACE}a {SPACE}i {SPACE}s {SPACE}th {SPACE}the {SPACE}an "
    f"{SPACE}and {SPACE}is {SPACE}it {SPACE}in {SPACE}o {SPACE}of of to "
    f"{SPACE}to or ar {SPACE}w"
).split()
_SINGLE = SPACE + string.ascii_letters + string.digits + ".,?!'"


def pieces(family):
    """The pieces of `family` ("gemma3" or "gemma4") and their GGUF types."""
    table = dict(_COMMON_CONTROL)
    table.update(_TURNS[family])
    reserved = _GEMMA4_CONTROL
    if family == "gemma4":
        table.update(reserved)
    else:
        table.update({i: f"<unused{i - 6}>" for i in reserved})
    types = {i: CONTROL for i in table}
    types[3] = UNKNOWN
    if family == "gemma4":
        types.update({i: USER_DEFINED for i in _GEMMA4_USER_DEFINED})
    table.update(_NEWLINES)
    newline_type = USER_DEFINED if family == "gemma3" else NORMAL
    types.update({i: newline_type for i in _NEWLINES})
    for byte in range(256):
        table[FIRST_BYTE + byte] = f"<0x{byte:02X}>"
        types[FIRST_BYTE + byte] = BYTE
    words = list(_SINGLE) + _MERGED
    free = [i for i in range(VOCAB_SIZE) if i not in table]
    for i, word in zip(free, words):
        table[i] = word
        types[i] = NORMAL
    if len(words) > len(free):
        raise ValueError(f"{len(words) - len(free)} pieces do not fit")
    for i in free[len(words):]:
        table[i] = f"<unused{i}>"
        types[i] = CONTROL
    order = range(VOCAB_SIZE)
    return [table[i] for i in order], [types[i] for i in order]


def merges(family):
    """Every split of every merged piece, best piece first.

    Each piece's splits are adjacent, so that merging by rank (tokenizer.json)
    and merging by the score of the result (SentencePiece) agree.
    """
    vocabulary = set(pieces(family)[0])
    merged = list(_MERGED)
    if family == "gemma4":
        merged = [_NEWLINES[108], _NEWLINES[109]] + merged
    return [
        (word[:cut], word[cut:])
        for word in merged
        for cut in range(1, len(word))
        if word[:cut] in vocabulary and word[cut:] in vocabulary
    ]


def scores(family):
    """SentencePiece scores: minus the rank for merged pieces, less for the
    single characters, -1000 for control tokens as the converters write."""
    text, types = pieces(family)
    rank = {word: -float(i) for i, word in enumerate(_MERGED)}
    return [
        -1000.0 if kind in (CONTROL, UNKNOWN, USER_DEFINED)
        else 0.0 if kind == BYTE
        else rank.get(word, -float(len(_MERGED) + i))
        for i, (word, kind) in enumerate(zip(text, types))
    ]


def tokenizer_json(family):
    text, types = pieces(family)
    added = [
        {
            "id": i,
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": i not in _NEWLINES,
        }
        for i, (word, kind) in enumerate(zip(text, types))
        if kind in (CONTROL, UNKNOWN, USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Replace",
            "pattern": {"String": " "},
            "content": SPACE,
        },
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<bos>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                "<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}
            },
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {
                    "type": "Replace",
                    "pattern": {"String": SPACE},
                    "content": " ",
                },
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {word: i for i, word in enumerate(text)},
            "merges": [list(pair) for pair in merges(family)],
        },
    }
