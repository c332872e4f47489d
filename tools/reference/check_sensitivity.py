"""Shows that the expected results notice every part of the models.

    python check_sensitivity.py

Breaks one thing at a time in the reference and prints how far the logits of
the long prompt move, relative to their range. Fails when something moves
them less than ten times the tolerance that carat is held to.
"""

import re
import sys

import numpy as np
import torch
import transformers

import make_tiny
import reference_run
import tiny_models

TOLERANCE = 1e-4
ROPE = {"rope_type": "default"}


def moved(want, model, tokens):
    got = reference_run.logits(model, tokens)
    return np.abs(got - want).max() / (want.max() - want.min())


def broken_tensor(array):
    """Ones for a vector, mirrored rows for a matrix."""
    if array.ndim == 1:
        return np.ones_like(array)
    return array[..., ::-1].copy()


def tensor_changes(checkpoint, weights):
    """One change for each tensor of the file."""
    layers = checkpoint.config["num_hidden_layers"]
    owners = layers - checkpoint.config.get("num_kv_shared_layers", 0)
    for name, array in weights.items():
        shared = re.search(r"layers\.(\d+)\.self_attn\.[kv]_", name)
        if shared and int(shared.group(1)) >= owners:
            continue  # unused by design
        if name == f"model.layers.{layers - 1}.layer_scalar":
            continue  # the final norm undoes it; the dumps show it
        value = broken_tensor(array)
        if checkpoint.family == "gemma3" and array.ndim == 1:
            value = np.zeros_like(array)  # stored minus one
        yield name, weights | {name: value}


def config_changes(checkpoint):
    config = checkpoint.config
    for window in (config["sliding_window"] - 1, config["sliding_window"] + 1):
        yield f"window {window}", dict(sliding_window=window)
    sliding = tiny_models.config(checkpoint).rope_parameters[tiny_models.S]
    full = tiny_models.config(checkpoint).rope_parameters[tiny_models.G]
    yield "sliding layers with the global base", dict(rope_parameters={
        tiny_models.S: ROPE | {"rope_theta": 1e6}, tiny_models.G: full})
    yield "global layers with the sliding base", dict(rope_parameters={
        tiny_models.S: sliding, tiny_models.G: full | {"rope_theta": 1e4}})
    if checkpoint.family == "gemma3":
        yield "query scale of the head size + 1", dict(
            query_pre_attn_scalar=config["query_pre_attn_scalar"] + 1)
        if full["rope_type"] == "linear":
            yield "no linear scaling", dict(rope_parameters={
                tiny_models.S: sliding,
                tiny_models.G: ROPE | {"rope_theta": 1e6}})
        return
    yield "full rotation of global layers", dict(rope_parameters={
        tiny_models.S: sliding, tiny_models.G: ROPE | {"rope_theta": 1e6}})
    yield "no soft cap", dict(final_logit_softcapping=None)
    if config.get("enable_moe_block"):
        yield "one expert fewer", dict(
            top_k_experts=config["top_k_experts"] - 1)


def check(checkpoint):
    tokens = make_tiny.prompts()["long"]
    weights = tiny_models.weights(checkpoint)
    want = reference_run.logits(tiny_models.build(checkpoint, weights), tokens)
    results = [
        (moved(want, tiny_models.build(checkpoint, changed), tokens), name)
        for name, changed in tensor_changes(checkpoint, weights)
    ] + [
        (moved(want, tiny_models.build(
            tiny_models.with_config(checkpoint, **change), weights), tokens),
         name)
        for name, change in config_changes(checkpoint)
    ]
    model = tiny_models.build(checkpoint, weights)
    with torch.no_grad():
        model.model.embed_tokens.embed_scale *= 1.01
    results.append((moved(want, model, tokens), "embedding scale + 1%"))
    results.sort()
    print(f"{checkpoint.name}: {len(results)} changes, the least noticed:")
    for size, name in results[:5]:
        print(f"  {size:.1e}  {name}")
    return results[0][0] >= 10 * TOLERANCE


def main():
    transformers.logging.set_verbosity_error()
    fine = [check(c) for c in tiny_models.CHECKPOINTS.values() if c.committed]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
