"""What did the paper report? Only figures of the paper itself, in percent, each with its place."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "arXiv 2509.15178 (NeurIPS 2025), results on HC-STVG and VidSTG"
METRICS = ("m_vIoU", "vIoU@0.3", "vIoU@0.5")
"""The paper's columns that are the same for every dataset."""

DECLARATIVE, INTERROGATIVE = "declarative", "interrogative"


@dataclass(frozen=True)
class Published:
    """One row of the paper's table; ``figures`` in the order of :data:`METRICS`, in percent."""

    model: str
    figures: tuple[float, float, float]


# Dataset, or dataset and kind of sentence -> rows in the paper's order.
_ROWS: dict[str, tuple[Published, ...]] = {
    "hcstvg1": (
        Published("LLaVA-NeXT-Video-7B", (20.4, 33.6, 12.4)),
        Published("ShareGPT4Video-8B", (20.0, 32.2, 10.9)),
        Published("Qwen2-VL-7B", (23.6, 39.0, 14.4)),
        Published("LLaVA-OneVision-7B", (24.8, 41.5, 16.3)),
    ),
    "hcstvg2": (
        Published("LLaVA-NeXT-Video-7B", (23.6, 36.8, 15.5)),
        Published("ShareGPT4Video-8B", (24.4, 38.9, 15.4)),
        Published("Qwen2-VL-7B", (25.6, 40.5, 17.1)),
        Published("LLaVA-OneVision-7B", (27.7, 44.7, 19.5)),
    ),
    DECLARATIVE: (
        Published("LLaVA-NeXT-Video-7B", (16.6, 26.8, 11.1)),
        Published("ShareGPT4Video-8B", (17.1, 27.8, 11.6)),
        Published("Qwen2-VL-7B", (17.0, 27.4, 11.4)),
        Published("LLaVA-OneVision-7B", (18.0, 29.8, 12.2)),
    ),
    INTERROGATIVE: (
        Published("LLaVA-NeXT-Video-7B", (14.6, 23.1, 9.4)),
        Published("ShareGPT4Video-8B", (13.1, 21.0, 9.1)),
        Published("Qwen2-VL-7B", (13.0, 19.5, 7.8)),
        Published("LLaVA-OneVision-7B", (13.5, 21.4, 8.2)),
    ),
}
_NAMES = {
    "LLaVA-NeXT-Video-7B": ("llava-next-video", "7b"), "ShareGPT4Video-8B": ("sharegpt4video", "8b"),
    "Qwen2-VL-7B": ("qwen2-vl", "7b"), "LLaVA-OneVision-7B": ("llava-onevision", "7b"),
}  # fmt: skip
"""By what parts of its name a checkpoint is recognised."""


def published(dataset: str, kind: str | None = None) -> tuple[Published, ...]:
    """The paper's rows for a dataset, of VidSTG for a kind of its sentences; none where the paper has none."""
    return _ROWS.get(kind if dataset == "vidstg" and kind is not None else dataset, ())


def is_of(row: Published, model: str) -> bool:
    """Is a hub id, or a folder, called like the model of this row?"""
    name = model.lower().replace("_", "-")
    return all(part in name for part in _NAMES[row.model])
