"""Runs a reference model: logits, greedy continuation, named intermediates."""

import contextlib

import torch
from transformers.models.gemma3 import modeling_gemma3
from transformers.models.gemma4 import modeling_gemma4

torch.set_num_threads(1)


@torch.no_grad()
def logits(model, tokens):
    """[seq, vocab] f32, one pass without a cache."""
    ids = torch.tensor([tokens])
    return model(input_ids=ids, use_cache=False).logits[0].float().numpy()


def greedy(model, tokens, count):
    """`count` tokens by argmax, and the least lead of the best over the next.

    Every step runs the whole text again without a cache, and no token stops
    it: the reference for a cached implementation must not be cached itself.
    """
    tokens = list(tokens)
    start = len(tokens)
    lead = float("inf")
    for _ in range(count):
        row = logits(model, tokens)[-1]
        second, first = sorted(range(len(row)), key=row.__getitem__)[-2:]
        lead = min(lead, float(row[first] - row[second]))
        tokens.append(first)
    return tokens[start:], lead


@torch.no_grad()
def cached_greedy(model, tokens, count):
    """The same through the library's own generate() and its KV cache."""
    out = model.generate(
        torch.tensor([tokens]),
        attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
        max_new_tokens=count,
        min_new_tokens=count,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return out[0, len(tokens):].tolist()


class _Recorder:
    def __init__(self):
        self.tensors = {}

    def put(self, name, value):
        self.tensors[name] = value.detach().float().contiguous().numpy().copy()

    def output_of(self, module, name):
        def hook(_module, _inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            self.put(name, value.squeeze(0) if value.dim() > 2 else value)
        return module.register_forward_hook(hook)

    def input_of(self, module, name):
        def hook(_module, inputs):
            value = inputs[0]
            self.put(name, value.squeeze(0) if value.dim() > 2 else value)
        return module.register_forward_pre_hook(hook)


@contextlib.contextmanager
def _recorded_attention(recorder):
    """Stores q, k and v as the attention function receives them."""
    originals = []
    for library in (modeling_gemma3, modeling_gemma4):
        original = library.eager_attention_forward

        def recorded(module, query, key, value, *args, _run=original, **kwargs):
            at = f"layer.{module.layer_idx}."
            recorder.put(at + "q", query[0].transpose(0, 1))
            if not getattr(module, "is_kv_shared_layer", False):
                recorder.put(at + "k", key[0].transpose(0, 1))
                recorder.put(at + "v", value[0].transpose(0, 1))
            return _run(module, query, key, value, *args, **kwargs)

        originals.append((library, original))
        library.eager_attention_forward = recorded
    try:
        yield
    finally:
        for library, original in originals:
            library.eager_attention_forward = original


def _watch_layer(recorder, layer, at):
    yield recorder.output_of(layer.input_layernorm, at + "attn_norm")
    yield recorder.input_of(layer.self_attn.o_proj, at + "attention_context")
    yield recorder.output_of(layer.self_attn.o_proj, at + "attention_out")
    yield recorder.input_of(
        layer.pre_feedforward_layernorm, at + "post_attention")
    yield recorder.output_of(layer.pre_feedforward_layernorm, at + "mlp_norm")
    yield recorder.output_of(layer.mlp, at + "mlp_out")
    if getattr(layer, "enable_moe_block", False):
        yield layer.router.register_forward_hook(
            lambda _m, _i, out: _routing(recorder, at, *out))
        yield recorder.output_of(
            layer.pre_feedforward_layernorm_2, at + "experts_norm")
        yield recorder.output_of(layer.experts, at + "experts_out")
    if getattr(layer, "hidden_size_per_layer_input", 0):
        yield recorder.input_of(layer.per_layer_input_gate, at + "post_mlp")
        yield recorder.input_of(
            layer.per_layer_projection, at + "per_layer_gated")
        yield recorder.output_of(
            layer.per_layer_projection, at + "per_layer_out")
    yield recorder.output_of(layer, at + "out")


def _routing(recorder, at, probabilities, weights, experts):
    recorder.put(at + "router_probabilities", probabilities)
    chosen = torch.zeros_like(probabilities).scatter(1, experts, weights)
    recorder.put(at + "router_weights", chosen)


def _watch_per_layer_inputs(recorder, body):
    """[seq, layers * width]; the library makes them in a method, not in a
    module that a hook could watch."""
    original = body.project_per_layer_inputs

    def watched(*args, **kwargs):
        value = original(*args, **kwargs)
        recorder.put("per_layer_input", value[0].flatten(1))
        return value

    body.project_per_layer_inputs = watched
    return lambda: delattr(body, "project_per_layer_inputs")


@torch.no_grad()
def intermediates(model, tokens):
    """Named tensors of one pass over `tokens`; README.md lists the names."""
    recorder = _Recorder()
    body = model.model
    undo = [recorder.output_of(body.embed_tokens, "embedding").remove]
    if getattr(body, "hidden_size_per_layer_input", 0):
        undo.append(_watch_per_layer_inputs(recorder, body))
    for i, layer in enumerate(body.layers):
        undo += [h.remove for h in _watch_layer(recorder, layer, f"layer.{i}.")]
    undo.append(recorder.output_of(body.norm, "final_norm").remove)
    try:
        with _recorded_attention(recorder):
            recorder.put("logits", torch.from_numpy(logits(model, tokens)))
    finally:
        for step in undo:
            step()
    return recorder.tensors
