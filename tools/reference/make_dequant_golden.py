#!/usr/bin/env python3
"""Writes golden data for src/tensor/dequantize_test.cc.

Needs: gguf 0.19.0, numpy 2.4.6.
Usage: make_dequant_golden.py [--out tests/data/dequant] [--blocks N] [--seed S]

One file per type: N blocks of random bytes whose f16 fields are finite and
include the extremes (zero, both signs, subnormal, largest), then the f32
elements that gguf.quants.dequantize makes of them. gguf has no dequantisation
for I8, I16, I32, I64 and F64; carat's are plain casts and have their own test.
"""

import argparse
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Type -> offsets of the f16 numbers in a block.
HALVES = {
    "F16": [0],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
    "Q6_K": [208],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0],
    "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0],
    "MXFP4": [], "BF16": [], "F32": [],
}
EXTREMES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00]


def finite_halves(rng, count):
    halves = rng.integers(0, 0x10000, count, np.uint16)
    infinite = (halves & 0x7C00) == 0x7C00
    halves[infinite] &= np.uint16(0x83FF)
    some = min(len(EXTREMES), count)
    halves[:some] = EXTREMES[:some]
    return halves


def make(name, blocks, rng):
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    raw = rng.integers(0, 256, (blocks, size), np.uint8)
    for field, offset in enumerate(HALVES[name]):
        halves = np.roll(finite_halves(rng, blocks), field)
        raw[:, offset : offset + 2] = halves.view(np.uint8).reshape(-1, 2)
    if name == "IQ1_M":  # the f16 is spread over the top nibbles of 4 words
        halves = finite_halves(rng, blocks)
        for j in range(4):
            nibble = (halves >> (4 * j) & 15).astype(np.uint8) << 4
            raw[:, 49 + 2 * j] = raw[:, 49 + 2 * j] & 15 | nibble
    if name == "MXFP4":
        edges = np.array([0, 1, 2, 127, 254, 255], np.uint8)[:blocks]
        raw[: len(edges), 0] = edges
    if name in ("BF16", "F32"):  # finite: clear an all-ones exponent
        top = raw[:, -2:].view(np.uint16)
        top[(top & 0x7F80) == 0x7F80] &= np.uint16(0x807F)
    return raw


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="tests/data/dequant")
    parser.add_argument("--blocks", type=int, help="per type")
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for name in HALVES:
        rng = np.random.default_rng([args.seed, *name.encode()])
        block = GGML_QUANT_SIZES[GGMLQuantizationType[name]][0]
        blocks = args.blocks or {1: 256, 32: 24, 256: 10}[block]
        raw = make(name, blocks, rng)
        kind = GGMLQuantizationType[name]
        expected = quants.dequantize(raw, kind).astype("<f4", copy=False)
        assert expected.size == blocks * block
        assert not np.isnan(expected).any(), name
        (out / f"{name}.bin").write_bytes(raw.tobytes() + expected.tobytes())


if __name__ == "__main__":
    main()
