"""Builds the tiny seeded checkpoints and their expected results.

    python make_tiny.py                       all of tests/data/tiny
    python make_tiny.py --only gemma4-moe     one of them
    python make_tiny.py --dump gemma3 --out DIR   its intermediates, nothing else

See README.md for the files it writes.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

import reference_run
import tensor_file
import tiny_models
import tiny_tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
GREEDY_TOKENS = 32
LEAST_LEAD = 1e-3  # of the best token over the next, at each greedy step
LEAST_ROUTER_GAP = 1e-4  # between the last chosen and the first left expert
LEAST_DISTINCT = 8  # different tokens in a continuation
DUMP_TOKENS = 18  # two more than the sliding window
# The dump kept in the repository leaves out what is soon recomputed.
COMMITTED_DUMP = "gemma4-e"
COMMITTED_NAMES = re.compile(
    r"embedding|per_layer_input|final_norm|"
    r"layer\.\d+\.(q|k|v|post_attention|per_layer_out|out)")


def prompts():
    """A short one, and one of three sliding windows whose first tokens (the
    window and a few more) are the dumped prompt."""
    rng = np.random.default_rng(20)
    long = [2] + rng.integers(5, tiny_tokenizer.VOCAB_SIZE,
                              3 * tiny_models.WINDOW - 1).tolist()
    short = [2] + rng.integers(5, tiny_tokenizer.VOCAB_SIZE, 6).tolist()
    return {"short": short, "long": long}


def write_json(path, value):
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # Lists of numbers on one line.
    text = re.sub(r"\[[-\d.,\s]+\]",
                  lambda m: re.sub(r"\s+", " ", m.group()), text)
    path.write_text(text + "\n")


def released_config(checkpoint):
    """config.json as the released files spell it."""
    saved = tiny_models.config(checkpoint).to_diff_dict()
    saved = dict(tiny_models.config(checkpoint).to_dict()) | saved
    keep = set(json.loads(tiny_models.config(checkpoint).to_json_string()))
    out = {k: v for k, v in saved.items() if k in keep}
    out.pop("transformers_version", None)
    out["dtype"] = "float32" if checkpoint.dtype == "F32" else "bfloat16"
    if checkpoint.family == "gemma3":
        out["architectures"] = ["Gemma3ForCausalLM"]
        rope = out.pop("rope_parameters")
        full = rope[tiny_models.G]
        out["rope_theta"] = full["rope_theta"]
        out["rope_local_base_freq"] = rope[tiny_models.S]["rope_theta"]
        out["rope_scaling"] = (
            {"rope_type": full["rope_type"], "factor": full["factor"]}
            if "factor" in full else None)
        out.pop("_sliding_window_pattern", None)
        out.pop("layer_types", None)
        out["sliding_window_pattern"] = 6
        return out
    out["architectures"] = ["Gemma4ForCausalLM"]
    out.pop("per_layer_config")
    out["global_head_dim"] = checkpoint.config["global_head_dim"]
    out["num_global_key_value_heads"] = checkpoint.config.get(
        "num_global_key_value_heads")
    if checkpoint.nested:
        out.pop("architectures")
        return {
            "architectures": ["Gemma4ForConditionalGeneration"],
            "model_type": "gemma4",
            "dtype": out["dtype"],
            "eos_token_id": [1, 106, 50],
            "tie_word_embeddings": True,
            "audio_config": None,
            "vision_config": None,
            "text_config": out,
        }
    return out


def newest_config(checkpoint):
    """config.json as the pinned transformers saves it."""
    out = json.loads(tiny_models.config(checkpoint).to_json_string())
    out["dtype"] = "float32" if checkpoint.dtype == "F32" else "bfloat16"
    name = "Gemma3" if checkpoint.family == "gemma3" else "Gemma4"
    if not checkpoint.nested:
        out["architectures"] = [f"{name}ForCausalLM"]
        return out
    return {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "model_type": "gemma4",
        "dtype": out["dtype"],
        "text_config": out,
        "vision_config": None,
        "audio_config": None,
        "tie_word_embeddings": True,
        "transformers_version": transformers.__version__,
    }


def save_weights(folder, checkpoint, tensors):
    if checkpoint.weights_of:
        link = folder / "model.safetensors"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{checkpoint.weights_of}/model.safetensors")
        return
    if checkpoint.nested:
        tensors = {
            k.replace("model.", "model.language_model.", 1): v
            for k, v in tensors.items()
        }
        # A tensor of another tower, for loaders to pass over.
        tensors["model.embed_vision.embedding_projection.weight"] = np.ones(
            (8, 4), np.float32)
    tensors = {k: torch.from_numpy(v) for k, v in tensors.items()}
    if checkpoint.dtype == "BF16":
        tensors = {k: v.to(torch.bfloat16) for k, v in tensors.items()}
    names = sorted(tensors)
    metadata = {"format": "pt"}
    if checkpoint.shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata)
        return
    total = sum(v.nbytes for v in tensors.values())
    weight_map, size, shard = {}, 0, 1
    for name in names:
        if size > total * shard / checkpoint.shards:
            shard += 1
        size += tensors[name].nbytes
        weight_map[name] = (
            f"model-{shard:05}-of-{checkpoint.shards:05}.safetensors")
    for file in sorted(set(weight_map.values())):
        part = {k: tensors[k] for k in names if weight_map[k] == file}
        save_file(part, folder / file, metadata)
    write_json(folder / "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": weight_map})


def check_router(model, tokens):
    """Fails when the choice of experts hangs on the last bits."""
    gaps = []

    def look(module, _inputs, output):
        ranked = output[0].sort(dim=-1, descending=True).values
        k = module.config.top_k_experts
        gaps.append((ranked[:, k - 1] - ranked[:, k]).min().item())

    hooks = [layer.router.register_forward_hook(look)
             for layer in model.model.layers
             if getattr(layer, "enable_moe_block", False)]
    reference_run.logits(model, tokens)
    for hook in hooks:
        hook.remove()
    return min(gaps, default=float("inf"))


class Unfit(Exception):
    """The seed gives results that hang on the last bits."""


def expectation(model, name, tokens, writer):
    logits = reference_run.logits(model, tokens)
    continuation, lead = reference_run.greedy(model, tokens, GREEDY_TOKENS)
    if lead < LEAST_LEAD:
        raise Unfit(f"{name}: greedy lead {lead:.2g}")
    if len(set(continuation)) < LEAST_DISTINCT:
        raise Unfit(f"{name}: {len(set(continuation))} distinct tokens")
    gap = check_router(model, tokens + continuation)
    if gap < LEAST_ROUTER_GAP:
        raise Unfit(f"{name}: router gap {gap:.2g}")
    if reference_run.cached_greedy(model, tokens, GREEDY_TOKENS) != continuation:
        raise AssertionError(f"{name}: generate() disagrees with its own model")
    return {
        "name": name,
        "tokens": tokens,
        "logits": writer.add(logits),
        "greedy": continuation,
        "greedy_least_lead": round(lead, 6),
    }


def reference_name():
    return (f"transformers {transformers.__version__}, "
            f"torch {torch.__version__.split('+')[0]}, f32, eager")


def expected(checkpoint, model, writer):
    scale = model.model.embed_tokens.embed_scale
    out = {
        "model": checkpoint.name,
        "reference": reference_name(),
        "values": "expected.bin",
        "embedding_scale": float(scale),
        "prompts": [expectation(model, name, tokens, writer)
                    for name, tokens in prompts().items()],
    }
    rounded = scale.to(torch.bfloat16).to(torch.float32)
    if rounded != scale:
        # The same weights with the scale a bf16 model would have.
        scale.copy_(rounded)
        out["bf16_embedding_scale"] = {
            "embedding_scale": float(rounded),
            "prompts": [expectation(model, name, tokens, writer)
                        for name, tokens in prompts().items()],
        }
    return out


def write_checkpoint(checkpoint, out):
    tensors = tiny_models.weights(checkpoint)
    model = tiny_models.build(checkpoint, tensors)
    writer = tensor_file.Writer()
    results = expected(checkpoint, model, writer)
    folder = out / checkpoint.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", released_config(checkpoint))
    write_json(folder / "config.variant.json", newest_config(checkpoint))
    eos = [1, 106, 50] if checkpoint.family == "gemma4" else [1, 106]
    write_json(folder / "generation_config.json", {
        "bos_token_id": 2, "pad_token_id": 0, "eos_token_id": eos,
        "do_sample": True, "temperature": 1.0, "top_k": 64, "top_p": 0.95})
    (folder / "tokenizer.json").write_text(
        json.dumps(tiny_tokenizer.tokenizer_json(checkpoint.family),
                   ensure_ascii=False, separators=(",", ":")) + "\n")
    save_weights(folder, checkpoint, tensors)
    writer.write(folder / "expected.bin")
    write_json(folder / "expected.json", results)
    if checkpoint.name == COMMITTED_DUMP:
        write_dump(model, folder, COMMITTED_NAMES)
    verify_folder(checkpoint, folder, results)


def write_dump(model, folder, names=re.compile(".*")):
    tokens = prompts()["long"][:DUMP_TOKENS]
    tensors = reference_run.intermediates(model, tokens)
    tensor_file.write_dump(
        folder / "dump",
        {k: v for k, v in tensors.items() if names.fullmatch(k)})


def verify_folder(checkpoint, folder, results):
    """Loads the folder as a user would, with both spellings of the config."""
    tokens = results["prompts"][0]["tokens"]
    entry = results["prompts"][0]["logits"]
    raw = np.fromfile(folder / "expected.bin", "<f4")
    shape = entry["shape"]
    start = entry["offset"] // 4
    want = raw[start:start + shape[0] * shape[1]].reshape(shape)
    for spelling in ("config.json", "config.variant.json"):
        loaded = load_folder(checkpoint, folder, spelling)
        difference = np.abs(reference_run.logits(loaded, tokens) - want).max()
        if difference > 1e-4:
            raise AssertionError(
                f"{checkpoint.name}: loading with {spelling} changes the "
                f"logits by {difference}")


def load_folder(checkpoint, folder, spelling):
    name = "Gemma3" if checkpoint.family == "gemma3" else "Gemma4"
    suffix = "ForConditionalGeneration" if checkpoint.nested else "ForCausalLM"
    cls = getattr(transformers, name + suffix)
    with tempfile.TemporaryDirectory() as copy:
        copy = pathlib.Path(copy)
        for file in folder.glob("model*"):
            (copy / file.name).symlink_to(file.resolve())
        (copy / "config.json").write_text((folder / spelling).read_text())
        return cls.from_pretrained(
            copy, dtype=torch.float32, attn_implementation="eager").eval()


def find_seed(checkpoint):
    for seed in range(checkpoint.seed, checkpoint.seed + 100):
        trial = dataclasses.replace(checkpoint, seed=seed)
        try:
            expected(trial, tiny_models.build(trial), tensor_file.Writer())
        except Unfit as reason:
            print(f"{checkpoint.name} seed {seed}: {reason}")
            continue
        print(f"{checkpoint.name} seed {seed}: fits")
        return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=tiny_models.CHECKPOINTS)
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "tests/data/tiny")
    parser.add_argument("--dump", choices=tiny_models.CHECKPOINTS,
                        help="write only the intermediates of this checkpoint")
    parser.add_argument("--find-seed", action="store_true",
                        help="print the first seed whose results do not hang "
                             "on the last bits")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.dump:
        args.out.mkdir(parents=True, exist_ok=True)
        checkpoint = tiny_models.CHECKPOINTS[args.dump]
        write_dump(tiny_models.build(checkpoint), args.out)
        return 0
    for name, checkpoint in tiny_models.CHECKPOINTS.items():
        if args.only == name or (args.only is None and checkpoint.committed):
            if args.find_seed:
                find_seed(checkpoint)
            else:
                write_checkpoint(checkpoint, args.out)
                print(f"wrote {args.out / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
