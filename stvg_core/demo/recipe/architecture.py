"""The embedded model's architecture and its initial weights: LLaVA-OneVision, very small.

Frames of 96 x 96 pixels, patches of 8, pooled to a 6 x 6 grid of visual tokens per frame.
"""

from __future__ import annotations

import math

import torch
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, Qwen2Config, SiglipVisionConfig

from stvg_core.demo.recipe.vocabulary import END, IMAGE, PAD, VIDEO, build_tokenizer

IMAGE_SIZE, PATCH, GRID = 96, 8, 6
CELLS = GRID * GRID
VISION_WIDTH, WIDTH, HEADS, LAYERS = 96, 128, 4, 5
MAX_POSITIONS = 4096


def build_config() -> LlavaOnevisionConfig:
    """The configuration of the whole model, with the vocabulary's token ids."""
    vocabulary = build_tokenizer().get_vocab()
    vision = SiglipVisionConfig(
        hidden_size=VISION_WIDTH, intermediate_size=4 * VISION_WIDTH, num_hidden_layers=3, num_attention_heads=4,
        image_size=IMAGE_SIZE, patch_size=PATCH, vision_use_head=False,
    )  # fmt: skip
    text = Qwen2Config(
        vocab_size=len(vocabulary), hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=vocabulary[END], pad_token_id=vocabulary[PAD], initializer_range=0.05,
    )  # fmt: skip
    return LlavaOnevisionConfig(
        vision_config=vision, text_config=text, image_token_index=vocabulary[IMAGE],
        video_token_index=vocabulary[VIDEO], image_grid_pinpoints=[[IMAGE_SIZE, IMAGE_SIZE]],
        vision_feature_layer=-1, vision_feature_select_strategy="full", tie_word_embeddings=False,
    )  # fmt: skip


def build_model(seed: int) -> LlavaOnevisionForConditionalGeneration:
    """Fresh weights in fp32, with the three starts that make so small a model learn within the hour."""
    torch.manual_seed(seed)
    model = LlavaOnevisionForConditionalGeneration(build_config())
    model.config._attn_implementation = "sdpa"
    tower = model.model.vision_tower
    embeddings = tower.embeddings if hasattr(tower, "embeddings") else tower.vision_model.embeddings
    with torch.no_grad():
        # Positions as sines: neighbouring patches start out alike, which shapes spanning patches need.
        embeddings.position_embedding.weight.copy_(sine_grid(IMAGE_SIZE // PATCH, VISION_WIDTH) * 0.5)
        # Text tokens as large as the visual ones, or the first layers would drown them.
        model.model.language_model.embed_tokens.weight.normal_(0, 0.5)
        model.model.image_newline.normal_(0, 0.5)
        for head, frames_back in ((0, 1), (1, 2)):
            look_back(model, layer=0, head=head, distance=frames_back * CELLS)
    return model


def sine_grid(side: int, width: int) -> torch.Tensor:
    """Two-dimensional sine-cosine positions (side * side, width), row by row."""
    rates = math.pi / 2 ** (torch.arange(width // 4) / (width // 16 + 1))
    axis = torch.arange(side)[:, None] * rates
    waves = torch.cat([axis.sin(), axis.cos()], dim=1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(side * side, width)


def look_back(
    model: LlavaOnevisionForConditionalGeneration, *, layer: int, head: int, distance: int, strength: float = 3.0
) -> None:
    """Start one attention head at "the token ``distance`` positions back": the same cell one or more frames
    earlier.

    Constant queries and keys (the biases) make rotary scores a function of distance alone. Turning the
    query's pairs by ``distance`` puts the peak there; the weights start small, so content can move it later.
    """
    attention = model.model.language_model.layers[layer].self_attn
    size = attention.head_dim
    rows = slice(head * size, (head + 1) * size)
    rates = model.model.language_model.rotary_emb.inv_freq
    # The fastest pairs separate neighbours; the slow ones would add the same to every distance.
    gain = torch.where(rates > 0.01, 1.0, 0.0) * strength
    angle = rates * distance
    attention.k_proj.bias[rows] = torch.cat([gain, torch.zeros_like(gain)])
    attention.q_proj.bias[rows] = torch.cat([gain * angle.cos(), -gain * angle.sin()])
    attention.q_proj.weight[rows] *= 0.2
    attention.k_proj.weight[rows] *= 0.2
