#!/usr/bin/env python3
"""Writes src/tensor/iq_tables.cc: the codebooks of GGUF's IQ types.

Needs: gguf 0.19.0, numpy 2.4.6. The codebooks are constants of the format; the
package is only where they are read from. Usage: make_iq_tables.py > OUT
"""

import sys

import numpy as np
from gguf import quants

TABLES = [
    ("kIq1Grid", quants.IQ1_S, 2),
    ("kIq2XxsGrid", quants.IQ2_XXS, 2),
    ("kIq2XsGrid", quants.IQ2_XS, 2),
    ("kIq2SGrid", quants.IQ2_S, 2),
    ("kIq3XxsGrid", quants.IQ3_XXS, 3),
    ("kIq3SGrid", quants.IQ3_S, 3),
]


def packed(quant, bits):
    """One integer per entry, `bits` per element, first element lowest."""
    quant.init_grid()
    entries, width = quant.grid_shape
    values = np.asarray(quant.grid_map, np.float32)
    grid = quant.grid.reshape(entries, width)
    digits = np.argmax(grid[..., None] == values, axis=-1)
    assert (values[digits] == grid).all()
    return (digits << (bits * np.arange(width))).sum(axis=-1)


def main():
    out = sys.stdout
    out.write("// Written by tools/reference/make_iq_tables.py.\n")
    out.write('#include "tensor/iq_tables.h"\n\n')
    out.write("// clang-format off\nnamespace carat::internal {\n")
    for name, quant, bits in TABLES:
        entries = packed(quant, bits)
        out.write(f"\nconst uint16_t {name}[{len(entries)}] = {{\n")
        for i in range(0, len(entries), 12):
            row = ",".join(f"{v}" for v in entries[i : i + 12])
            out.write(f"    {row},\n")
        out.write("};\n")
    out.write("\n}  // namespace carat::internal\n// clang-format on\n")


if __name__ == "__main__":
    main()
