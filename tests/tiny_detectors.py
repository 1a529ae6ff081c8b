"""Tiny random-weight GroundingDINO and SAM 2 checkpoints of the real classes, with files as published ones have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoMaskDecoderConfig,
    Sam2VideoModel,
    Sam2VideoPromptEncoderConfig,
    Sam2VisionConfig,
    SwinConfig,
)

_WORDS = ("man", "woman", "red", "circle", "object", "the", "in", "dog", "who")
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SAM_SIDE = 64


def save_grounding_dino(folder: Path, *, seed: int = 0) -> Path:
    """Small pictures (shortest side 72, longest 108); everything else goes the way of a published checkpoint."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer(folder)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=64,
        ),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=12, max_text_len=24, disable_custom_kernels=True,
    )  # fmt: skip
    model = GroundingDinoForObjectDetection(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GroundingDinoImageProcessor", "processor_class": "GroundingDinoProcessor",
            "do_resize": True, "do_rescale": True, "do_normalize": True, "do_pad": True, "format": "coco_detection",
            "size": {"shortest_edge": 72, "longest_edge": 108}, "resample": 2, "rescale_factor": 1 / 255,
            "image_mean": _MEAN, "image_std": _STD,
        },
    )  # fmt: skip
    return folder


def save_sam2(folder: Path, *, seed: int = 0) -> Path:
    """Pictures of 64 x 64, masks of 16 x 16; two memories and four object pointers."""
    torch.manual_seed(seed)
    vision = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=8, image_size=[SAM_SIDE, SAM_SIDE], blocks_per_stage=[1, 1, 2, 1], global_attention_blocks=[3],
            embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 4],
            window_size_per_stage=[8, 4, 4, 4], window_positional_embedding_background_size=[4, 4],
        ),
        backbone_channel_list=[64, 32, 16, 8], backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=128,
    )  # fmt: skip
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=128, image_size=SAM_SIDE, patch_size=16),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=128, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=32, iou_head_depth=2
        ),
        image_size=SAM_SIDE, num_maskmem=3, max_object_pointers_in_encoder=4, memory_attention_hidden_size=128,
        memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4], memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )  # fmt: skip
    model = Sam2VideoModel(config)
    with torch.no_grad():
        # It always sees an object (otherwise every mask is the same), and its memory is no zero.
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(50.0)
        model.memory_temporal_positional_encoding.normal_()
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and ("memory" in name or "mask_decoder" in name or "object_pointer" in name):
                weight.mul_(4.0)
    model.save_pretrained(folder)
    size = {"height": SAM_SIDE, "width": SAM_SIDE}
    values = {"size": size, "resample": 2, "rescale_factor": 1 / 255, "image_mean": _MEAN, "image_std": _STD}
    kind = {"processor_class": "Sam2VideoProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True}
    _write(
        folder / "video_preprocessor_config.json", values | kind | {"video_processor_type": "Sam2VideoVideoProcessor"}
    )
    return folder


def _tokenizer(folder: Path) -> BertTokenizer:
    """BERT's own: GroundingDINO knows [CLS], [SEP], "." and "?" by their places in that vocabulary."""
    places = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    places |= {1040 + number: word for number, word in enumerate(_WORDS)}
    vocabulary = [places.get(number, f"[unused{number}]") for number in range(1040 + len(_WORDS))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return BertTokenizer.from_pretrained(folder)


def _write(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values), encoding="utf-8")
