"""Measures how many rows an exact two-pass output head would have to rescore.

    head_bounds.py CARAT MODEL.gguf [--tokens 300] [--steps 24]

The first pass would read only the upper bits of the Q8_0 output matrix. What
the dropped bits can add is bounded: by the L1 norm of each block of the hidden
state times half a step of the block's scale. Rows whose upper bound reaches the
best (or the k-th best) lower bound have to be computed in full; with those the
result is exact. The fewer bits the first pass reads, the more rows are left.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from gguf import GGUFReader

TEXT = pathlib.Path(__file__).resolve().parents[2] / "SECURITY.md"


def hidden_states(carat, model, count):
    """The normalised states that the head multiplies, [tokens, hidden]."""
    done = subprocess.run([carat, "tokenize", model, "--json", "--bos"],
                          input=TEXT.read_bytes(), capture_output=True,
                          check=True)
    ids = json.loads(done.stdout)["ids"][:count]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "dump"
        subprocess.run([carat, "dump", model, "--quiet", "--tokens",
                        ",".join(map(str, ids)), "--out", out], check=True)
        tensors = json.loads(out.with_suffix(".json").read_text())["tensors"]
        norm = next(t for t in tensors if t["name"] == "final_norm")
        return np.fromfile(out.with_suffix(".bin"), np.float32,
                           count=int(np.prod(norm["shape"])),
                           offset=norm["offset"]).reshape(norm["shape"])


def head_blocks(model):
    """Codes [rows, blocks, 32] and scales [rows, blocks] of a Q8_0 head."""
    tensors = {t.name: t for t in GGUFReader(model).tensors}
    head = tensors.get("output.weight", tensors["token_embd.weight"])
    if head.tensor_type.name != "Q8_0":
        raise SystemExit(f"the head is {head.tensor_type.name}, not Q8_0")
    columns, rows = (int(n) for n in head.shape)
    data = np.asarray(head.data).reshape(rows, columns // 32, 34)
    scales = data[:, :, :2].copy().view(np.float16)[:, :, 0]
    codes = data[:, :, 2:].copy().view(np.int8)
    return codes, scales.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("carat")
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--steps", type=int, default=24)
    args = parser.parse_args()
    codes, scales = head_blocks(args.model)
    rows, blocks, _ = codes.shape
    states = hidden_states(args.carat, args.model, args.tokens)
    random = np.random.default_rng(1)
    chosen = random.choice(np.arange(20, len(states)), args.steps,
                           replace=False)
    states = states[chosen]
    norms = np.abs(states.reshape(-1, blocks, 32)).sum(2)
    print("bits read, rows to rescore (median): best, best 64, of", rows)
    for dropped in (1, 2, 3, 4):
        step = 2 ** dropped
        upper = np.floor(codes / np.float32(step) + 0.5) * step
        upper = (upper * scales[:, :, None]).reshape(rows, -1)
        score = states @ upper.astype(np.float32).T
        bound = norms @ (scales * (step / 2)).T
        floor = score - bound
        best = floor.max(1)[:, None]
        best64 = np.partition(floor, rows - 64, axis=1)[:, rows - 64, None]
        left = [np.median((score + bound >= t).sum(1)) for t in (best, best64)]
        print(8 - dropped, *(int(n) for n in left))


if __name__ == "__main__":
    main()
