#!/usr/bin/env python3
"""Measures the speed of the pinned llama.cpp library; prints one JSON object.

  peer_speed.py LIBRARIES MODEL [--threads 2] [--prefill 128,512]
                [--decode-at 0,2048] [--decode-tokens 32] [--rows 1,2,4,8]

LIBRARIES is the folder that setup.sh fills. Options, tests and output are as
those of 'carat bench', and so are the random tokens: speed does not depend on
them. compare_speed.py runs the two in turns.
"""

import argparse
import ctypes
import json
import pathlib
import random
import resource
import time

# The library's parameter structs differ between versions and are only handed
# from one of its functions to another, so they stay opaque here. Their first
# fields are n_ctx, n_batch, n_ubatch and n_seq_max in all versions.
PARAMS_BYTES = 512
BATCH_TOKENS = 2048


class Params(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint32 * (PARAMS_BYTES // 4))]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32)] + [
        (name, ctypes.c_void_p) for name in
        ("token", "embd", "pos", "n_seq_id", "seq_id", "logits")]


POINTER = ctypes.c_void_p
SIGNATURES = {
    "llama_backend_init": (None, []),
    "llama_model_default_params": (Params, []),
    "llama_context_default_params": (Params, []),
    "llama_model_load_from_file": (POINTER, [ctypes.c_char_p, Params]),
    "llama_init_from_model": (POINTER, [POINTER, Params]),
    "llama_set_n_threads": (None, [POINTER, ctypes.c_int32, ctypes.c_int32]),
    "llama_model_get_vocab": (POINTER, [POINTER]),
    "llama_vocab_n_tokens": (ctypes.c_int32, [POINTER]),
    "llama_batch_get_one": (Batch, [POINTER, ctypes.c_int32]),
    "llama_batch_init": (Batch, [ctypes.c_int32] * 3),
    "llama_decode": (ctypes.c_int32, [POINTER, Batch]),
    "llama_synchronize": (None, [POINTER]),
    "llama_get_memory": (POINTER, [POINTER]),
    "llama_memory_clear": (None, [POINTER, ctypes.c_bool]),
}
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, POINTER)


def one(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        raise SystemExit(f"{folder} holds no {pattern}; run setup.sh first")
    return str(found[0])


class Peer:
    """A loaded model with some sequences of `context` tokens."""

    def __init__(self, folder, model, threads, context, sequences):
        ctypes.CDLL(one(folder, "libggml-base.so"), ctypes.RTLD_GLOBAL)
        ggml = ctypes.CDLL(one(folder, "libggml.v*.so"), ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(one(folder, "libllama.v*.so"))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments
        self.quiet = LOG(lambda *_: None)
        self.library.llama_log_set(self.quiet, None)
        ggml.ggml_backend_load_all_from_path(str(folder).encode())
        self.library.llama_backend_init()
        start = time.monotonic()
        self.model = self.library.llama_model_load_from_file(
            str(model).encode(), self.library.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp could not load {model}")
        self.load_seconds = time.monotonic() - start
        params = self.library.llama_context_default_params()
        params.words[0] = context * sequences
        params.words[1] = BATCH_TOKENS
        params.words[3] = sequences
        self.context = self.library.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit("llama.cpp could not make a context")
        self.library.llama_set_n_threads(self.context, threads, threads)
        self.vocab = self.library.llama_vocab_n_tokens(
            self.library.llama_model_get_vocab(self.model))
        self.random = random.Random(1)
        self.batch = self.library.llama_batch_init(sequences, 0, 1)

    def clear(self):
        self.library.llama_memory_clear(
            self.library.llama_get_memory(self.context), True)

    def feed(self, count, step):
        """Evaluates count random tokens, step at a time."""
        for start in range(0, count, step):
            size = min(step, count - start)
            tokens = (ctypes.c_int32 * size)(
                *(self.random.randrange(300, self.vocab)
                  for _ in range(size)))
            batch = self.library.llama_batch_get_one(
                ctypes.cast(tokens, POINTER), size)
            if self.library.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama.cpp failed to evaluate a batch")
            self.library.llama_synchronize(self.context)

    def step(self, rows, position):
        """Evaluates one token of each of so many sequences together."""
        cast, int32 = ctypes.cast, ctypes.POINTER(ctypes.c_int32)
        batch = self.batch
        batch.n_tokens = rows
        for row in range(rows):
            cast(batch.token, int32)[row] = self.random.randrange(
                300, self.vocab)
            cast(batch.pos, int32)[row] = position
            cast(batch.n_seq_id, int32)[row] = 1
            cast(batch.seq_id, ctypes.POINTER(int32))[row][0] = row
            cast(batch.logits, ctypes.POINTER(ctypes.c_int8))[row] = 1
        if self.library.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama.cpp failed to evaluate a batch")
        self.library.llama_synchronize(self.context)

    def rows_rate(self, rows, count):
        """Tokens a second, in all, of `count` steps of `rows` sequences."""
        self.clear()
        start = time.monotonic()
        for position in range(count):
            self.step(rows, position)
        return rows * count / (time.monotonic() - start)

    def rate(self, count, step, depth):
        """Tokens a second of count tokens after depth others."""
        self.clear()
        self.feed(depth, BATCH_TOKENS)
        start = time.monotonic()
        self.feed(count, step)
        return count / (time.monotonic() - start)


def numbers(text):
    return [] if text == "none" else [int(n) for n in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prefill", type=numbers, default=[512])
    parser.add_argument("--decode-at", type=numbers, default=[0])
    parser.add_argument("--decode-tokens", type=int, default=32)
    parser.add_argument("--rows", type=numbers, default=[1],
                        help="sequences a step, behind no other tokens")
    options = parser.parse_args()
    context = 256 + max(
        [*options.prefill, *(depth + options.decode_tokens
                             for depth in options.decode_at)])
    peer = Peer(options.libraries.resolve(), options.model, options.threads,
                context, max(options.rows))
    peer.feed(16, 16)  # the first batch pays for allocations
    results = [
        {"kind": "prefill", "tokens": tokens, "depth": 0, "rows": 1,
         "tokens_per_second": peer.rate(tokens, BATCH_TOKENS, 0)}
        for tokens in options.prefill]
    results += [
        {"kind": "decode", "tokens": options.decode_tokens, "depth": depth,
         "rows": 1,
         "tokens_per_second": peer.rate(options.decode_tokens, 1, depth)}
        for depth in options.decode_at]
    results += [
        {"kind": "decode", "tokens": options.decode_tokens, "depth": 0,
         "rows": rows,
         "tokens_per_second": peer.rows_rate(rows, options.decode_tokens)}
        for rows in options.rows if rows > 1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"results": results, "loads": [
        {"threads": options.threads, "seconds": peer.load_seconds,
         "peak_bytes": peak}]}))


if __name__ == "__main__":
    main()
