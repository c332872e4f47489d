"""Writes the tiny checkpoints as GGUF files, with expected results.

    python make_tiny_gguf.py                 the files kept in tests/data
    python make_tiny_gguf.py --out DIR NAME TYPE [NAME TYPE ...]

NAME is a checkpoint of tiny_models.py, TYPE a GGUF tensor type: F32 F16 BF16
Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 MXFP4; for the -wide checkpoints also the K and IQ
types, which need tools/peer/setup.sh to have run. See README.md.
"""

import argparse
import pathlib
import re
import sys

import gguf
import numpy as np
import transformers

import make_tiny
import quantize
import reference_run
import tensor_file
import tiny_models
import tiny_tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMITTED = [("gemma3", "Q8_0"), ("gemma3", "Q4_0"), ("gemma4-e", "Q4_0"),
             ("gemma4-dense", "Q4_0"), ("gemma4-moe", "Q4_0")]
# Positions of the long prompt whose logits are kept: around the window.
POSITIONS = [0, 1, 15, 16, 17, 31, 46, 47]
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8,
              "Q5_1": 9, "Q2_K": 10, "Q3_K": 12, "Q4_K": 15, "Q5_K": 17,
              "Q6_K": 18, "BF16": 32, "MXFP4": 38}

_LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "post_attention_norm.weight",
    "pre_feedforward_layernorm.weight": "ffn_norm.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "layer_scalar": "layer_output_scale.weight",
    "per_layer_input_gate.weight": "inp_gate.weight",
    "per_layer_projection.weight": "proj.weight",
    "post_per_layer_input_norm.weight": "post_norm.weight",
    "router.proj.weight": "ffn_gate_inp.weight",
    "router.scale": "ffn_gate_inp.scale",
    "router.per_expert_scale": "ffn_down_exps.scale",
    "experts.gate_up_proj": "ffn_gate_up_exps.weight",
    "experts.down_proj": "ffn_down_exps.weight",
    "pre_feedforward_layernorm_2.weight": "pre_ffw_norm_2.weight",
    "post_feedforward_layernorm_1.weight": "post_ffw_norm_1.weight",
    "post_feedforward_layernorm_2.weight": "post_ffw_norm_2.weight",
}
_TOP_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "model.embed_tokens_per_layer.weight": "per_layer_token_embd.weight",
    "model.per_layer_model_projection.weight": "per_layer_model_proj.weight",
    "model.per_layer_projection_norm.weight": "per_layer_proj_norm.weight",
}


def gguf_name(name):
    if name in _TOP_NAMES:
        return _TOP_NAMES[name]
    layer, rest = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", name).groups()
    return f"blk.{layer}.{_LAYER_NAMES[rest]}"


def stored_type(name, array, type_name):
    """Vectors and the router stay F32, the per-layer projection BF16."""
    if array.ndim == 1 or name.endswith("ffn_gate_inp.weight"):
        return "F32"
    if name == "per_layer_model_proj.weight" and type_name != "F32":
        return "BF16"
    return type_name


def _rope_freqs(config):
    """Divisors of the global layers' frequencies: a quarter rotates."""
    pairs = config["global_head_dim"] // 2
    return np.where(np.arange(pairs) < pairs // 4, 1.0, 1e30).astype(np.float32)


def _add_common(writer, checkpoint, arch):
    c = checkpoint.config
    u32, f32 = writer.add_uint32, writer.add_float32
    u32(f"{arch}.context_length", c["max_position_embeddings"])
    u32(f"{arch}.embedding_length", c["hidden_size"])
    u32(f"{arch}.block_count", c["num_hidden_layers"])
    u32(f"{arch}.attention.head_count", c["num_attention_heads"])
    f32(f"{arch}.attention.layer_norm_rms_epsilon", 1e-6)
    u32(f"{arch}.attention.sliding_window", c["sliding_window"])
    f32(f"{arch}.rope.freq_base", 1e6)


def _add_gemma3(writer, checkpoint):
    c = checkpoint.config
    writer.add_uint32("gemma3.feed_forward_length", c["intermediate_size"])
    writer.add_uint32("gemma3.attention.head_count_kv",
                      c["num_key_value_heads"])
    writer.add_uint32("gemma3.attention.key_length", c["head_dim"])
    writer.add_uint32("gemma3.attention.value_length", c["head_dim"])
    factor = c["rope_parameters"][tiny_models.G].get("factor")
    if factor:
        writer.add_string("gemma3.rope.scaling.type", "linear")
        writer.add_float32("gemma3.rope.scaling.factor", factor)


def _add_gemma4(writer, checkpoint):
    c = checkpoint.config
    layers = c["num_hidden_layers"]
    shared = c.get("num_kv_shared_layers", 0)
    wide = 2 if c.get("use_double_wide_mlp") else 1
    widths = [c["intermediate_size"] * (wide if i >= layers - shared else 1)
              for i in range(layers)]
    sliding = [kind == tiny_models.S for kind in c["layer_types"]]
    u32 = writer.add_uint32
    if len(set(widths)) > 1:
        writer.add_array("gemma4.feed_forward_length", widths)
    else:
        u32("gemma4.feed_forward_length", widths[0])
    if c.get("num_global_key_value_heads"):
        writer.add_array("gemma4.attention.head_count_kv", [
            c["num_key_value_heads" if s else "num_global_key_value_heads"]
            for s in sliding])
    else:
        u32("gemma4.attention.head_count_kv", c["num_key_value_heads"])
    for what in ("attention.key_length", "attention.value_length",
                 "rope.dimension_count"):
        u32(f"gemma4.{what}", c["global_head_dim"])
        u32(f"gemma4.{what}_swa", c["head_dim"])
    writer.add_array("gemma4.attention.sliding_window_pattern", sliding)
    u32("gemma4.attention.shared_kv_layers", shared)
    u32("gemma4.embedding_length_per_layer_input",
        c["hidden_size_per_layer_input"])
    writer.add_float32("gemma4.final_logit_softcapping", 30.0)
    writer.add_float32("gemma4.rope.freq_base_swa", 1e4)
    if c.get("enable_moe_block"):
        u32("gemma4.expert_count", c["num_experts"])
        u32("gemma4.expert_used_count", c["top_k_experts"])
        u32("gemma4.expert_feed_forward_length", c["moe_intermediate_size"])


def _add_tokenizer(writer, family):
    pieces, types = tiny_tokenizer.pieces(family)
    if family == "gemma3":
        writer.add_string("tokenizer.ggml.model", "llama")
        writer.add_string("tokenizer.ggml.pre", "default")
    else:
        writer.add_string("tokenizer.ggml.model", "gemma4")
        writer.add_array("tokenizer.ggml.merges", [
            " ".join(pair) for pair in tiny_tokenizer.merges(family)])
    writer.add_array("tokenizer.ggml.tokens", pieces)
    writer.add_array("tokenizer.ggml.scores", tiny_tokenizer.scores(family))
    writer.add_array("tokenizer.ggml.token_type", types)
    u32 = writer.add_uint32
    u32("tokenizer.ggml.bos_token_id", 2)
    u32("tokenizer.ggml.eos_token_id", 1 if family == "gemma3" else 106)
    u32("tokenizer.ggml.unknown_token_id", 3)
    u32("tokenizer.ggml.padding_token_id", 0)
    if family == "gemma4":
        u32("tokenizer.ggml.mask_token_id", 4)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_bool("tokenizer.ggml.add_eos_token", False)
    writer.add_bool("tokenizer.ggml.add_space_prefix", False)


def write_gguf(checkpoint, type_name, path):
    """Writes the file; returns the f32 tensors it stands for, by the names
    and in the form of the safetensors file."""
    arch = checkpoint.family
    writer = gguf.GGUFWriter(path, arch)
    writer.add_string("general.type", "model")
    writer.add_string("general.name", f"tiny {checkpoint.name}")
    writer.add_uint32("general.file_type", FILE_TYPES.get(type_name, 1024))
    writer.add_uint32("general.quantization_version", 2)
    _add_common(writer, checkpoint, arch)
    (_add_gemma3 if arch == "gemma3" else _add_gemma4)(writer, checkpoint)
    _add_tokenizer(writer, arch)
    if arch == "gemma4":
        writer.add_tensor("rope_freqs.weight", _rope_freqs(checkpoint.config))
    values = {}
    for name, array in tiny_models.weights(checkpoint).items():
        target = gguf_name(name)
        stored = stored_type(target, array, type_name)
        # Gemma 3 files hold 1 + w.
        one = np.float32(
            1.0 if arch == "gemma3" and "norm.weight" in target else 0.0)
        data = quantize.quantize(array + one, stored)
        raw = None if stored in ("F32", "F16") else quantize.qtype(stored)
        writer.add_tensor(target, data, raw_dtype=raw)
        values[name] = quantize.dequantize(data, stored) - one
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def build_for_gguf(checkpoint, values):
    """The reference model as a reader of the file must understand it."""
    if checkpoint.family == "gemma3":
        # The format has no query scale: readers use the head size.
        checkpoint = tiny_models.with_config(
            checkpoint, query_pre_attn_scalar=checkpoint.config["head_dim"])
    return tiny_models.build(checkpoint, values)


def write_expected(checkpoint, values, path):
    """Logits of the reference with exactly the file's weights, in f32."""
    model = build_for_gguf(checkpoint, values)
    tokens = make_tiny.prompts()["long"]
    writer = tensor_file.Writer()
    logits = reference_run.logits(model, tokens)
    make_tiny.write_json(path.with_suffix(".expected.json"), {
        "model": path.name,
        "reference": make_tiny.reference_name(),
        "weights": "dequantised from the file, computed in f32",
        "values": path.with_suffix(".expected.bin").name,
        "embedding_scale": float(model.model.embed_tokens.embed_scale),
        "tokens": tokens,
        "positions": POSITIONS,
        "logits": writer.add(logits[POSITIONS]),
    })
    writer.write(path.with_suffix(".expected.bin"))


def write_model(name, type_name, folder):
    checkpoint = tiny_models.CHECKPOINTS[name]
    path = folder / f"{name}-{type_name.lower()}.gguf"
    values = write_gguf(checkpoint, type_name, path)
    write_expected(checkpoint, values, path)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "tests/data/tiny-gguf")
    parser.add_argument("pairs", nargs="*", metavar="NAME TYPE")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    args.out.mkdir(parents=True, exist_ok=True)
    pairs = list(zip(args.pairs[::2], args.pairs[1::2])) or COMMITTED
    for name, type_name in pairs:
        write_model(name, type_name, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
