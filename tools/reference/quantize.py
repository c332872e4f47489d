"""Quantised blocks of f32 arrays, and the f32 values they stand for.

Types the Python package `gguf` can write are quantised by it; the others
(K-quants, IQ) by the C library that tools/peer/setup.sh fetches. Dequantising
is always the Python package's.
"""

import ctypes

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

import cache


def qtype(name):
    return GGMLQuantizationType[name]


def block_size(name):
    return GGML_QUANT_SIZES[qtype(name)][0]


def _peer_library():
    path = cache.folder() / "peer/lib/libggml-base.so"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: run tools/peer/setup.sh first")
    library = ctypes.CDLL(str(path))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library


def _quantize_by_peer(values, name):
    library = _peer_library()
    block, size = GGML_QUANT_SIZES[qtype(name)]
    values = np.ascontiguousarray(values, np.float32)
    columns = values.shape[-1]
    rows = values.size // columns
    out = np.zeros((*values.shape[:-1], columns // block * size), np.uint8)
    importance = np.ones(columns, np.float32)  # some types insist on one
    pointer = ctypes.POINTER(ctypes.c_float)
    written = library.ggml_quantize_chunk(
        ctypes.c_int(qtype(name).value),
        values.ctypes.data_as(pointer),
        out.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(columns),
        importance.ctypes.data_as(pointer))
    if written != out.nbytes:
        raise ValueError(f"{name}: wrote {written} of {out.nbytes} bytes")
    return out


def quantize(values, name):
    """The bytes of `values` in type `name`, last axis in blocks."""
    if name == "F32":
        return np.ascontiguousarray(values, np.float32)
    try:
        return quants.quantize(values, qtype(name))
    except NotImplementedError:
        return _quantize_by_peer(values, name)


def dequantize(data, name):
    if name == "F32":
        return data
    return quants.dequantize(data, qtype(name)).astype(np.float32)
