"""Question stages: many questions packed on one clip, the answers' language-model loss, and the attention loss.

The attention loss asks the role tokens of a question answered "yes" to look at the object's cells in every
frame where the answer lies (for an action: while it holds): minus the log of the attention mass there,
averaged over those frames. It applies to the upper layers and is absent from the last stage. The neutral
prompt's rows are kept near uniform, since relative attention divides by them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import LlavaOnevisionForConditionalGeneration

from stvg_core.demo.recipe.architecture import CELLS, LAYERS
from stvg_core.demo.recipe.cells import IGNORE, cell_truth
from stvg_core.demo.recipe.forward import packed_forward
from stvg_core.demo.recipe.heads import TrainingHeads
from stvg_core.demo.recipe.motion import LOWER, clip_prefix, dense_loss, opening_ids, run_of_frames
from stvg_core.demo.recipe.pixels import to_pixel_values, training_frames
from stvg_core.demo.recipe.questions import KINDS, Clip, Question, ask
from stvg_core.demo.recipe.vision import as_tensors, draw_scene, visual_tokens
from stvg_core.demo.recipe.vocabulary import END, START, build_tokenizer

ROLE_TOKENS = 4  # <|im_end|> <|im_start|> assistant and the line break
PER_CLIP = {"look": 4, "full": 4, "action": 2, "noun": 2, "bare": 4, "neutral": 1}


class QuestionStage:
    """One step: ``clips`` clips of one of the lengths in ``frames``, about seventeen questions on each."""

    def __init__(
        self,
        clips: int,
        frames: Sequence[int],
        *,
        attention: float = 0.3,
        dense: float = 0.3,
        tower: bool = False,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.clips, self.frames, self.tower = clips, tuple(frames), tower
        self.attention, self.dense = attention, dense
        self.counts = counts or PER_CLIP
        self.tokenizer = build_tokenizer()
        self.opening = opening_ids(self.tokenizer)
        self.supervised = range(LOWER, LAYERS)

    def trainable(self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads) -> list[nn.Module]:
        modules: list[nn.Module] = [model.model.language_model, model.lm_head, heads.motion, heads.kept]
        return modules + ([model.model.vision_tower, model.model.multi_modal_projector] if self.tower else [])

    def loss(
        self, model: LlavaOnevisionForConditionalGeneration, heads: TrainingHeads, rng: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        length = int(rng.choice(self.frames))
        pictures, truths, asked = [], [], []
        for _ in range(self.clips):
            scene = draw_scene(rng)
            frames = run_of_frames(rng, scene, length)
            pictures.append(training_frames(rng, scene, frames))
            truths.append(cell_truth(scene, frames))
            asked.append(ask(rng, Clip(scene, frames), self.counts))
        with torch.set_grad_enabled(self.tower):
            visual = visual_tokens(model, to_pixel_values(np.stack(pictures)))
        prefix = clip_prefix(model, visual, self.opening)
        ids, answers, last = self.encode(asked)
        words = model.model.language_model.embed_tokens(ids)
        run = packed_forward(model.model.language_model, prefix, words, middle_layer=LOWER)
        assert run.questions is not None and run.middle is not None
        loss, figures = self.answer_loss(model, run.questions, answers, last, asked)
        if self.attention:
            looking, mass = self.attention_loss(run.rows, last, asked)
            loss = loss + self.attention * looking
            figures |= {"looking": looking.item(), "mass": mass}
        if self.dense:
            dense, more = dense_loss(run.middle, len(self.opening), heads, as_tensors(truths))
            loss = loss + self.dense * dense
            figures |= more
        return loss, figures

    def encode(self, asked: list[list[Question]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Token ids (B, K, L); targets (B, K, L), ``IGNORE`` outside answers; index (B, K) of the prompt's
        last token.
        """
        flat = [q for questions in asked for q in questions]
        prompts = self.tokenizer(
            [f"\n{q.text}{END}{START}assistant\n" for q in flat], add_special_tokens=False, padding=False
        )["input_ids"]
        replies = self.tokenizer([q.answer + END for q in flat], add_special_tokens=False)["input_ids"]
        width = max(len(p) + len(r) for p, r in zip(prompts, replies, strict=True))
        ids = torch.full((len(flat), width), self.tokenizer.pad_token_id)
        targets = torch.full((len(flat), width), IGNORE)
        for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
            ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
            targets[row, len(prompt) - 1 : len(prompt) + len(reply) - 1] = torch.tensor(reply)
        last = torch.tensor([len(p) - 1 for p in prompts])
        shape = (len(asked), len(asked[0]))
        return ids.view(*shape, -1), targets.view(*shape, -1), last.view(shape)

    def answer_loss(
        self,
        model: LlavaOnevisionForConditionalGeneration,
        states: torch.Tensor,
        targets: torch.Tensor,
        last: torch.Tensor,
        asked: list[list[Question]],
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Cross entropy of the yes/no tokens, and of captions at a tenth; accuracies by kind of question."""
        logits = model.lm_head(model.model.language_model.norm(states))
        each = functional.cross_entropy(
            logits.flatten(0, 2), targets.flatten(), ignore_index=IGNORE, reduction="none"
        ).view_as(targets)
        at = last[..., None]
        first = each.gather(-1, at)[..., 0]
        kinds = torch.tensor([[KINDS.index(q.kind) for q in questions] for questions in asked])
        closed = kinds != KINDS.index("neutral")
        rest = each.sum() - first[closed].sum()
        loss = first[closed].mean() + 0.1 * rest / (targets != IGNORE).sum()
        guess = logits.gather(2, at[..., None].expand(-1, -1, -1, logits.shape[-1]))[:, :, 0].argmax(-1)
        right = guess == targets.gather(-1, at)[..., 0]
        figures = {k: right[kinds == n].float().mean().item() for n, k in enumerate(KINDS[:-1])}
        return loss, figures | {"answer": first[closed].mean().item()}

    def attention_loss(
        self, rows: list[torch.Tensor], last: torch.Tensor, asked: list[list[Question]]
    ) -> tuple[torch.Tensor, float]:
        """``rows``: per layer (B, heads, K, L, P). Returns the loss and the mean mass on the right cells."""
        # The method also watches a final full stop, just before the role tokens.
        roles = last[..., None] - torch.arange(ROLE_TOKENS + 1)  # (B, K, 5)
        watched = torch.ones(*last.shape, ROLE_TOKENS + 1)
        watched[..., -1] = torch.tensor([[float(q.text.endswith(".")) for q in questions] for questions in asked])
        losses, masses = [], []
        spots = [
            (b, k, torch.from_numpy(q.cells))
            for b, questions in enumerate(asked)
            for k, q in enumerate(questions)
            if q.cells is not None
        ]
        plain = [(b, k) for b, qs in enumerate(asked) for k, q in enumerate(qs) if q.kind == "neutral"]
        for number in self.supervised:
            mean = rows[number].mean(dim=1)  # (B, K, L, P)
            mean = mean.gather(2, roles[..., None].expand(-1, -1, -1, mean.shape[-1]))
            grid = torch.unflatten(mean[..., len(self.opening) : -1], -1, (-1, CELLS))  # (B, K, 5, T, 36)
            if spots:
                picked = torch.stack([grid[b, k] for b, k, _ in spots])
                weight = torch.stack([watched[b, k] for b, k, _ in spots])  # (N, 5)
                cells = torch.stack([c for _, _, c in spots])[:, None].to(picked.dtype)  # (N, 1, T, 36)
                per_frame = (picked * cells).sum(-1)  # (N, 5, T)
                there = cells.amax(-1)
                count = there.sum(-1)
                # Times the number of frames: an even spread over them costs nothing.
                logs = ((per_frame * count[..., None] + 1e-5).log() * there).sum(-1) / count
                losses.append(-(logs * weight).sum() / weight.sum())
                masses.append(per_frame[:, :ROLE_TOKENS].sum(-1).mean().item())
            for b, k in plain:
                even = (grid[b, k].flatten(1) * grid.shape[-1] * grid.shape[-2] + 1e-5).log()
                losses.append(-0.1 * even.mean() / len(plain))
        if not losses:
            return rows[0].sum() * 0.0, float("nan")
        return torch.stack(losses).sum() / len(self.supervised), float(np.mean(masses)) if masses else float("nan")
