#!/usr/bin/env python3
"""A copy of a GGUF file with every quantised matrix widened to F32.

    python widen_gguf.py IN OUT

The numbers are exactly those the file stands for (the Python package `gguf`
dequantises them), so a runtime that rounds activations only for quantised
weights computes the copy with activations in f32: comparing the two shows what
that rounding costs. Needs only `gguf` and numpy.
"""

import sys

import gguf
from gguf import GGMLQuantizationType, GGUFValueType, quants

PLAIN = (GGMLQuantizationType.F32, GGMLQuantizationType.F16,
         GGMLQuantizationType.BF16)
# Written by the writer itself.
OWN = ("GGUF.", "general.architecture", "general.file_type")


def copy_field(writer, field):
    kind = field.types[0]
    element = field.types[-1] if kind == GGUFValueType.ARRAY else None
    writer.add_key_value(field.name, field.contents(), kind, sub_type=element)


def main(source, target):
    reader = gguf.GGUFReader(source)
    arch = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, arch)
    for field in reader.fields.values():
        if not field.name.startswith(OWN):
            copy_field(writer, field)
    widened = 0
    for tensor in reader.tensors:
        data = tensor.data
        raw = None
        if tensor.tensor_type == GGMLQuantizationType.BF16:
            raw = tensor.tensor_type
        elif tensor.tensor_type not in PLAIN:
            data = quants.dequantize(data, tensor.tensor_type)
            widened += 1
        writer.add_tensor(tensor.name, data, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{target}: {widened} of {len(reader.tensors)} tensors widened")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
