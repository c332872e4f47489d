"""Perplexity of a Gemma 3 GGUF file by the reference library, in f32.

    python score_gguf.py MODEL TOKENS WINDOW WINDOWS RECORDS [bf16-scale]

The weights are exactly the values the file stands for. TOKENS, the windows
and RECORDS are those of tools/peer/peer_logits.c; the first WINDOWS of them
are scored. With bf16-scale the embedding scale is rounded to bfloat16, as a
model that runs in that type has it.
"""

import math
import pathlib
import struct
import sys

import gguf
import torch
import transformers

import make_tiny_gguf
import quantize
import tiny_models


def load(path, threads=2):
    torch.set_num_threads(threads)
    reader = gguf.GGUFReader(path)
    field = {k: v.contents() for k, v in reader.fields.items()
             if not k.startswith("tokenizer.ggml.")
             or k.endswith("bos_token_id")}
    if field["general.architecture"] != "gemma3":
        sys.exit(f"score_gguf: {path} is not a gemma3 file")

    def key(name, otherwise=None):
        return field.get(f"gemma3.{name}", otherwise)

    if key("rope.scaling.factor"):
        sys.exit("score_gguf: rope scaling is not supported here")
    tensors = {t.name: t for t in reader.tensors}
    config = transformers.Gemma3TextConfig(
        vocab_size=int(tensors["token_embd.weight"].shape[1]),
        hidden_size=key("embedding_length"),
        intermediate_size=key("feed_forward_length"),
        num_hidden_layers=key("block_count"),
        num_attention_heads=key("attention.head_count"),
        num_key_value_heads=key("attention.head_count_kv"),
        head_dim=key("attention.key_length"),
        query_pre_attn_scalar=key("attention.key_length"),
        sliding_window=key("attention.sliding_window"),
        rope_parameters={
            tiny_models.S: {"rope_type": "default", "rope_theta": 1e4},
            tiny_models.G: {"rope_type": "default",
                            "rope_theta": key("rope.freq_base", 1e6)}},
        attn_implementation="eager")
    model = transformers.Gemma3ForCausalLM(config).eval()
    state = {}
    for name in model.state_dict():
        if name == "lm_head.weight":
            continue
        tensor = tensors[make_tiny_gguf.gguf_name(name)]
        values = quantize.dequantize(tensor.data, tensor.tensor_type.name)
        state[name] = torch.from_numpy(values.copy())
        if "norm.weight" in name or "layernorm" in name:
            state[name] -= 1.0  # the file holds 1 + w
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    return model, field["tokenizer.ggml.bos_token_id"]


@torch.no_grad()
def score(model, window, out):
    """Writes a record for every token but the first; their log-likelihood."""
    logits = model(input_ids=torch.tensor([window]), use_cache=False).logits[0]
    probabilities = logits[:-1].double().log_softmax(-1)
    total = 0.0
    for row, token in zip(probabilities, window[1:]):
        best = int(row.argmax())
        out.write(struct.pack("<ifif", token, row[token], best, row[best]))
        total += float(row[token])
    return total


def main():
    if len(sys.argv) not in (6, 7):
        sys.exit(__doc__)
    model, bos = load(sys.argv[1])
    tokens = list(map(int, pathlib.Path(sys.argv[2]).read_text().split()))
    size, windows = int(sys.argv[3]), int(sys.argv[4])
    scale = model.model.embed_tokens.embed_scale
    if sys.argv[6:] == ["bf16-scale"]:
        scale.copy_(scale.to(torch.bfloat16).to(torch.float32))
    total = 0.0
    with open(sys.argv[5], "wb") as out:
        for i in range(windows):
            part = tokens[i * (size - 1):(i + 1) * (size - 1)]
            total += score(model, [bos, *part], out)
    mean = -total / (windows * (size - 1))
    print(f"embedding scale {float(scale)}\n"
          f"tokens scored {windows * (size - 1)}\n"
          f"mean negative log-likelihood {mean:.6f}\n"
          f"perplexity {math.exp(mean):.5f}")


if __name__ == "__main__":
    main()
