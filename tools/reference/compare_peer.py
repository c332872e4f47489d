"""Compares llama.cpp with the reference on tiny GGUF files.

    python compare_peer.py [NAME TYPE ...]      default: every tiny model, F32

For each file: logits of the long prompt from both, with f32 and f16 KV, and
once with the reference changed to look GELU up in a table of f16 values, as
llama.cpp does. Needs tools/peer/setup.sh.
"""

import argparse
import contextlib
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

import cache
import make_tiny
import make_tiny_gguf
import reference_run
import tiny_models


def peer_logits(model, tokens, folder, vocab, options):
    ids, out = folder / "tokens.txt", folder / "logits.bin"
    ids.write_text(" ".join(map(str, tokens)))
    program = cache.folder() / "peer/peer_logits"
    subprocess.run([program, "logits", model, ids, out, *options],
                   check=True, stdout=subprocess.DEVNULL)
    return np.fromfile(out, "<f4").reshape(len(tokens), vocab)


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def report(label, got, want):
    span = want.max() - want.min()
    p, q = log_softmax(want), log_softmax(got)
    divergence = (np.exp(p) * (p - q)).sum(-1)
    agreement = (got.argmax(-1) == want.argmax(-1)).mean()
    difference = np.abs(got - want).max()
    print(f"  {label:34} max diff {difference:.2e} "
          f"({difference / span:.1e} of range)  mean KL {divergence.mean():.1e}"
          f"  top-1 {agreement:.1%}")


@contextlib.contextmanager
def f16_gelu_table():
    """GELU as a table over all f16 numbers gives it, exact beyond +-10."""
    from torch import nn
    original = nn.functional.gelu

    def tabulated(x, approximate="none"):
        rounded = x.to(torch.float16).float()
        y = original(rounded, approximate=approximate)
        y = y.to(torch.float16).float()
        return torch.where(x <= -10, torch.zeros_like(x),
                           torch.where(x >= 10, x, y))

    nn.functional.gelu = tabulated
    try:
        yield
    finally:
        nn.functional.gelu = original


def compare(name, type_name):
    checkpoint = tiny_models.CHECKPOINTS[name]
    tokens = make_tiny.prompts()["long"]
    print(f"{name} {type_name}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = folder / "model.gguf"
        values = make_tiny_gguf.write_gguf(checkpoint, type_name, path)
        model = make_tiny_gguf.build_for_gguf(checkpoint, values)
        plain = reference_run.logits(model, tokens)
        with f16_gelu_table():
            tabulated = reference_run.logits(
                make_tiny_gguf.build_for_gguf(checkpoint, values), tokens)
        vocab = plain.shape[1]
        f32 = peer_logits(path, tokens, folder, vocab, ["kv=f32", "fa=off"])
        f16 = peer_logits(path, tokens, folder, vocab, ["kv=f16", "fa=off"])
        default = peer_logits(path, tokens, folder, vocab, [])
    report("f32 KV", f32, plain)
    report("f32 KV, reference with GELU table", f32, tabulated)
    report("f16 KV", f16, plain)
    report("f16 KV, flash attention (default)", default, plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", nargs="*", metavar="NAME TYPE")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    pairs = list(zip(args.pairs[::2], args.pairs[1::2])) or [
        (c.name, "F32") for c in tiny_models.CHECKPOINTS.values()
        if c.committed]
    for name, type_name in pairs:
        compare(name, type_name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
