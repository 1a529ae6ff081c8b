"""Which published checkpoints fit the families, and how much memory do they need? Torch-free, for ``stvg models``.

Parameter counts are those of transformers' own class built from the published shape (a test builds each without
weights). Memory is calculated, not measured on a GPU:

    weights      2 bytes a parameter in bf16; in 4 bits, 0.516 bytes for those of the language model's layers (nf4,
                 double quantisation) and 2 bytes for all others, which stay in bf16
    activations  what a prefill in bf16 and the questions on it keep for the gradient to V, and what lives for a moment
                 in the backward pass, see :mod:`stvg_core.mllm.memory`; as it is, and with norms and feed-forward
                 parts computed again. One prefill is kept at a time: the forward video's is gone before the reversed
                 one's is made. Several queries on one video at once keep both
    reserve      1 GB for CUDA itself and the allocator's gaps

Tests hold the activations against what autograd keeps in tiny models of each class, and against the peak of a whole
look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stvg_core.mllm.memory import ASKED, LONGEST, LanguageShape

SLOTS = 20
"""T_v of the paper, for which memory is stated."""
TEXT_TOKENS = 200
"""Head, timestamps and questions, roughly: no family writes more around 20 slots."""
FOUR_BIT = 0.516
RESERVE = 1e9


@dataclass(frozen=True)
class FamilyNotes:
    """A family in words.

    Attributes:
        title: what people call it.
        slots: what the model sees of a video.
        needs: checkpoints of which kind load.
    """

    title: str
    slots: str
    needs: str


FAMILIES = {
    "llava_onevision": FamilyNotes("LLaVA-OneVision", "a square per frame, 14 x 14 cells", "llava-hf/...-ov-hf"),
    "llava_next_video": FamilyNotes("LLaVA-NeXT-Video", "a square per frame, 12 x 12 cells", "llava-hf/...-hf"),
    "internvl": FamilyNotes("InternVL3", "an image per frame, numbered, 16 x 16 cells", "OpenGVLab/...-hf"),
    "qwen2_vl": FamilyNotes("Qwen2-VL", "two frames per slot, own shape, up to 196 cells", "Qwen/...-Instruct"),
    "qwen2_5_vl": FamilyNotes("Qwen2.5-VL", "two frames per slot, own shape, up to 196 cells", "Qwen/...-Instruct"),
    "qwen3_vl": FamilyNotes(
        "Qwen3-VL", "two frames per slot with their time, own shape, up to 196 cells", "Qwen/...-Instruct"
    ),
}


@dataclass(frozen=True)
class Checkpoint:
    """A published checkpoint.

    Attributes:
        parameters: all, tied weights once.
        in_layers: of those, in the language model's layers.
        licence: as its card names it.
        shape: of its language model.
        cells: per slot, at most.
    """

    hub_id: str
    family: str
    parameters: int
    in_layers: int
    licence: str
    shape: LanguageShape
    cells: int

    def weights(self, *, four_bit: bool = False) -> float:
        """Bytes."""
        return 2 * self.parameters - (2 - FOUR_BIT) * self.in_layers * four_bit

    def activations(self, slots: int = SLOTS, *, recompute: bool = False) -> int:
        """Bytes, see the module's formula."""
        return self.shape.peak(slots * self.cells + TEXT_TOKENS, recompute=recompute)

    def memory(self, *, four_bit: bool = False, slots: int = SLOTS, recompute: bool = False) -> float:
        """Bytes of GPU memory in all, calculated."""
        return self.weights(four_bit=four_bit) + self.activations(slots, recompute=recompute) + RESERVE

    def to_json(self) -> dict[str, Any]:
        """For ``stvg models --json``."""
        return {
            "checkpoint": self.hub_id, "family": self.family, "parameters": self.parameters, "licence": self.licence,
            **{
                f"gpu_gb_{precision}{name}": round(self.memory(four_bit=four_bit, recompute=again) / 1e9, 1)
                for precision, four_bit in (("bf16", False), ("4bit", True))
                for name, again in (("", False), ("_recomputed", True))
            },
            "memory": f"calculated for {SLOTS} slots", "run_by_us": False,
        }  # fmt: skip


_APACHE = "apache-2.0"
_QWEN = "qwen (weights), mit (code)"
CHECKPOINTS = (
    Checkpoint("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "llava_onevision", 893_675_552, 357_897_216, _APACHE,
               LanguageShape(896, 24, 4864, 896, 128), 196),
    Checkpoint("llava-hf/llava-onevision-qwen2-7b-ov-hf", "llava_onevision", 8_030_807_584, 6_525_618_176, _APACHE,
               LanguageShape(3584, 28, 18944, 3584, 512), 196),
    Checkpoint("llava-hf/LLaVA-NeXT-Video-7B-hf", "llava_next_video", 7_063_431_168, 6_476_267_520, "llama2",
               LanguageShape(4096, 32, 11008, 4096, 4096), 144),
    Checkpoint("OpenGVLab/InternVL3-1B-hf", "internvl", 938_193_024, 357_897_216, _QWEN,
               LanguageShape(896, 24, 4864, 896, 128), 256),
    Checkpoint("OpenGVLab/InternVL3-2B-hf", "internvl", 2_088_957_440, 1_310_339_072, _QWEN,
               LanguageShape(1536, 28, 8960, 1536, 256), 256),
    Checkpoint("OpenGVLab/InternVL3-8B-hf", "internvl", 7_944_373_760, 6_525_618_176, _QWEN,
               LanguageShape(3584, 28, 18944, 3584, 512), 256),
    Checkpoint("Qwen/Qwen2-VL-2B-Instruct", "qwen2_vl", 2_208_985_600, 1_310_339_072, _APACHE,
               LanguageShape(1536, 28, 8960, 1536, 256), 196),
    Checkpoint("Qwen/Qwen2-VL-7B-Instruct", "qwen2_vl", 8_291_375_616, 6_525_618_176, _APACHE,
               LanguageShape(3584, 28, 18944, 3584, 512), 196),
    Checkpoint("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2_5_vl", 3_754_622_976, 2_774_771_712, "qwen-research",
               LanguageShape(2048, 36, 11008, 2048, 256), 196),
    Checkpoint("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl", 8_292_166_656, 6_525_618_176, _APACHE,
               LanguageShape(3584, 28, 18944, 3584, 512), 196),
    Checkpoint("Qwen/Qwen3-VL-2B-Instruct", "qwen3_vl", 2_127_532_032, 1_409_408_000, _APACHE,
               LanguageShape(2048, 28, 6144, 2048, 1024, normed=True), 196),
    Checkpoint("Qwen/Qwen3-VL-4B-Instruct", "qwen3_vl", 4_437_815_808, 3_633_509_376, _APACHE,
               LanguageShape(2560, 36, 9728, 4096, 1024, normed=True), 196),
    Checkpoint("Qwen/Qwen3-VL-8B-Instruct", "qwen3_vl", 8_767_123_696, 6_946_071_552, _APACHE,
               LanguageShape(4096, 36, 12288, 4096, 1024, normed=True), 196),
)  # fmt: skip

WHAT_RAN = (
    "Run here: the loading, session and method code of every family, on tiny random-weight models of the same class, "
    "against transformers' own forward pass, on a CPU, also with the published prompts and frame sizes and real "
    "vocabularies (Qwen's; Mistral's in place of Llama 2's); and the embedded model (stvg_core/demo/model, "
    "LLaVA-OneVision, 1.5 million parameters) from video to label. Not run here: the checkpoints of this list, 4-bit "
    "weights and GPUs. Licences are as the models' cards name them; read them before use."
)


def markdown() -> str:
    """``docs/models.md``."""
    families = [f"| {row.title} | `{name}` | {row.slots} | `{row.needs}` |" for name, row in FAMILIES.items()]
    checkpoints = [
        f"| `{row['checkpoint']}` | {row['parameters'] / 1e9:.2f} | {row['licence']} | "
        f"{row['gpu_gb_bf16']:.0f} / {row['gpu_gb_bf16_recomputed']:.0f} | "
        f"{row['gpu_gb_4bit']:.0f} / {row['gpu_gb_4bit_recomputed']:.0f} |"
        for row in (checkpoint.to_json() for checkpoint in CHECKPOINTS)
    ]
    return "\n".join([_HEAD, *families, "", _MIDDLE, *checkpoints, "", _TAIL, ""])


_HEAD = """# Models

`stvg models` prints this; `stvg models --markdown > docs/models.md` writes it.

| family | `model_type` | what it sees of a video | checkpoints |
|---|---|---|---|"""
_MIDDLE = f"""Calculated GPU memory in GB for {SLOTS} slots and one sentence at a time, as it is / recomputed
(norms and feed-forward parts are computed again in the backward pass; done by itself where memory is short):

| checkpoint | parameters, 10⁹ | licence | bf16 | 4-bit |
|---|---|---|---|---|"""
_TAIL = f"""{WHAT_RAN}

**The memory is calculated.** Weights: 2 bytes a parameter in bf16; in 4 bits {FOUR_BIT} bytes for the language model's
layers and 2 for all others. Activations, bytes per token and layer: 8 d + 4 q + 4 k + 6 f as it is, 6 d + 4 q + 4 k
recomputed; 4 q + 4 k or 2 q + 2 k more where queries and keys are normed (Qwen3-VL); d, q, k and f are the widths of
the model, its queries, its keys and its feed-forward part. That is what a bf16 prefill keeps for the gradient to the
learnable prompt. The {ASKED} questions on it, of at most {LONGEST} tokens, keep 4 k + {2 * LONGEST} q / k each. The
backward pass takes 14 f a token for a moment when recomputed, 2 f as it is, once for all layers. One prefill is kept
at a time: the forward video's is gone before the reversed one's is made. Several sentences on one video in one call
(`Grounder.ground_many`, `stvg ground --query ... --query ...`) keep both where there is room, else a group of them
shares one at a time. The formula was held against what autograd keeps in tiny models of each class, and against the
peak of a whole look with LRA and the reversed video on a CPU (bf16, three layers of 0.5B width). {RESERVE / 1e9:.0f} GB
is added for CUDA itself and the allocator's gaps. Fewer slots (`n_slots`) need less in proportion; without re-attention
(`lra_steps` 0) no prefill is kept."""
