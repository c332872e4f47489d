"""The tiny checkpoints: their configurations and their seeded weights.

Nothing here runs a model. `CHECKPOINTS` lists what there is; `config()` gives
the reference library's configuration object, `weights()` the tensors.
"""

import dataclasses

import numpy as np
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Gemma4ForCausalLM,
    Gemma4TextConfig,
)

import tiny_tokenizer

S, G = "sliding_attention", "full_attention"
WINDOW = 16


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    name: str
    family: str  # "gemma3" or "gemma4"
    seed: int
    dtype: str  # of the safetensors file: "F32" or "BF16"
    config: dict
    nested: bool = False  # text_config and model.language_model. prefix
    shards: int = 1
    weights_of: str | None = None  # shares the weights of this checkpoint
    committed: bool = True  # the others are made when somebody asks


_GEMMA3 = dict(
    vocab_size=tiny_tokenizer.VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=64,
    num_hidden_layers=7,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=16,
    query_pre_attn_scalar=16,
    sliding_window=WINDOW,
    max_position_embeddings=512,
    rope_parameters={
        S: {"rope_type": "default", "rope_theta": 10_000.0},
        G: {"rope_type": "default", "rope_theta": 1_000_000.0},
    },
)
_GEMMA4 = dict(
    vocab_size=tiny_tokenizer.VOCAB_SIZE,
    vocab_size_per_layer_input=tiny_tokenizer.VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=64,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    global_head_dim=32,
    sliding_window=WINDOW,
    max_position_embeddings=512,
    final_logit_softcapping=30.0,
    hidden_size_per_layer_input=0,
)

CHECKPOINTS = {
    c.name: c
    for c in [
        Checkpoint("gemma3", "gemma3", 1, "F32", _GEMMA3),
        Checkpoint(
            "gemma3-rope8", "gemma3", 1, "F32",
            _GEMMA3 | dict(
                query_pre_attn_scalar=24,
                rope_parameters={
                    S: {"rope_type": "default", "rope_theta": 10_000.0},
                    G: {
                        "rope_type": "linear",
                        "factor": 8.0,
                        "rope_theta": 1_000_000.0,
                    },
                },
            ),
            weights_of="gemma3",
        ),
        # Per-layer embeddings, six KV-shared layers of both types, twice as
        # wide MLPs there; the file carries K/V tensors of the shared layers
        # that nobody may read, as the released files do.
        Checkpoint(
            "gemma4-e", "gemma4", 1, "BF16",
            _GEMMA4 | dict(
                num_hidden_layers=9,
                layer_types=[S, S, G] * 3,
                num_kv_shared_layers=6,
                intermediate_size=32,
                use_double_wide_mlp=True,
                num_key_value_heads=1,
                hidden_size_per_layer_input=32,
            ),
            shards=2,
        ),
        # Hidden size 96: its root is not a bfloat16 number.
        Checkpoint(
            "gemma4-dense", "gemma4", 1, "F32",
            _GEMMA4 | dict(
                num_hidden_layers=3,
                layer_types=[S, S, G],
                hidden_size=96,
                attention_k_eq_v=True,
                num_global_key_value_heads=1,
                use_bidirectional_attention="vision",
            ),
        ),
        Checkpoint(
            "gemma4-moe", "gemma4", 3, "BF16",
            _GEMMA4 | dict(
                num_hidden_layers=3,
                layer_types=[S, S, G],
                intermediate_size=32,
                attention_k_eq_v=True,
                num_global_key_value_heads=1,
                use_bidirectional_attention="vision",
                enable_moe_block=True,
                num_experts=8,
                top_k_experts=3,
                moe_intermediate_size=32,
            ),
            nested=True,
        ),
    ]
}
# Every row a multiple of 256 values, for the types with blocks of that size.
_WIDE = dict(hidden_size=256, intermediate_size=256, head_dim=64)
_WIDE4 = _WIDE | dict(global_head_dim=128)
for _base, _changes in (
    ("gemma3", _WIDE | dict(query_pre_attn_scalar=64)),
    ("gemma4-e", _WIDE4 | dict(hidden_size_per_layer_input=256)),
    ("gemma4-dense", _WIDE4),
    ("gemma4-moe", _WIDE4 | dict(moe_intermediate_size=256)),
):
    CHECKPOINTS[f"{_base}-wide"] = dataclasses.replace(
        CHECKPOINTS[_base],
        name=f"{_base}-wide",
        config=CHECKPOINTS[_base].config | _changes,
        committed=False,
    )


def with_config(checkpoint, **changes):
    return dataclasses.replace(
        checkpoint, config=checkpoint.config | changes)


def config(checkpoint):
    cls = Gemma3TextConfig if checkpoint.family == "gemma3" else Gemma4TextConfig
    return cls(**checkpoint.config, attn_implementation="eager")


def build(checkpoint, tensors=None):
    """The reference model in f32 with these tensors, or its own weights."""
    family3 = checkpoint.family == "gemma3"
    cls = Gemma3ForCausalLM if family3 else Gemma4ForCausalLM
    model = cls(config(checkpoint)).eval().to(torch.float32)
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    if tensors is None:
        tensors = weights(checkpoint)
    wanted = {k for k in model.state_dict() if k != "lm_head.weight"}
    missing = wanted - tensors.keys()
    if missing:
        raise ValueError(f"{checkpoint.name}: no tensors for {sorted(missing)}")
    state = {k: torch.from_numpy(v) for k, v in tensors.items() if k in wanted}
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    return model


def _shape_table(checkpoint):
    family3 = checkpoint.family == "gemma3"
    cls = Gemma3ForCausalLM if family3 else Gemma4ForCausalLM
    with torch.device("meta"):
        state = cls(config(checkpoint)).state_dict()
    shapes = {k: tuple(v.shape) for k, v in state.items() if k != "lm_head.weight"}
    shared = checkpoint.config.get("num_kv_shared_layers", 0)
    layers = checkpoint.config["num_hidden_layers"]
    for i in range(layers - shared, layers):
        # The unused K/V tensors, shaped as on an owning layer of that type.
        same = checkpoint.config["layer_types"].index(
            checkpoint.config["layer_types"][i]
        )
        for what in ("k_proj", "v_proj", "k_norm"):
            source = f"model.layers.{same}.self_attn.{what}.weight"
            shapes[source.replace(f".{same}.", f".{i}.", 1)] = shapes[source]
    return shapes


def _draw(rng, name, shape, family3):
    def uniform(low, high):
        return rng.uniform(low, high, shape)

    def normal(deviation):
        return rng.standard_normal(shape) * deviation

    one = 1.0 if family3 else 0.0  # Gemma 3 stores norm weights minus one
    if name == "model.norm.weight":
        # Mixed signs: with tied embeddings, all-positive weights would make
        # the model repeat its last token.
        return uniform(5.0, 8.0) * rng.choice([-1.0, 1.0], shape) - one
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        # Attention scores of about unit deviation: sharper attention would
        # blow rounding differences up.
        scale = 1.0 if family3 else shape[-1] ** -0.25
        return uniform(0.5, 1.6) * scale - one
    if name.endswith("norm.weight") or "layernorm" in name:
        sign = np.where(rng.random(shape) < 0.1, -1.0, 1.0)
        # Modest additions to the residual stream, for the same reason.
        size = uniform(0.2, 1.0) if "post_" in name else uniform(0.4, 1.8)
        return size * sign - one
    if name.endswith("layer_scalar"):
        return uniform(0.3, 1.0)
    if name.endswith("router.scale"):
        return uniform(0.4, 2.0)
    if name.endswith("per_expert_scale"):
        return uniform(0.5, 1.6)
    if name.endswith("router.proj.weight"):
        return normal(1.5)
    if name.endswith("embed_tokens.weight"):
        return normal(shape[-1] ** -0.5)
    if name.endswith("embed_tokens_per_layer.weight"):
        return normal(32 ** -0.5)
    return normal(shape[-1] ** -0.5)


def _round_to_bf16(value):
    return torch.from_numpy(value).to(torch.bfloat16).to(torch.float32).numpy()


def weights(checkpoint):
    """Every tensor of the file as f32, by its name in a text-only file."""
    rng = np.random.default_rng(checkpoint.seed)
    tensors = {}
    for name, shape in sorted(_shape_table(checkpoint).items()):
        value = _draw(rng, name, shape, checkpoint.family == "gemma3")
        value = np.ascontiguousarray(value, dtype=np.float32)
        if checkpoint.dtype == "BF16":
            value = _round_to_bf16(value)
        tensors[name] = value
    return tensors
