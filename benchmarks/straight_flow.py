"""How much faster is the session than the straight way, on the same weights and with the same results?

    .venv/bin/python benchmarks/straight_flow.py --clips 8

The straight way asks every prompt by itself: the vision tower again, one full forward pass with eager attention and
every layer's whole map kept, and the rows cut out afterwards. With ``--generate N`` each look also decodes N tokens, as
published implementations of the method do. Both flows run alternately in one process on the same clips; what counts is
the ratio. Their spatial and temporal maps are compared, so that speed is not bought with another result.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from stvg_core.decomposition.rules import decompose
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene
from stvg_core.demo.scenes import render
from stvg_core.grounding.dsth import highlight
from stvg_core.grounding.gti import pick_map
from stvg_core.grounding.lra import lra_loss, step
from stvg_core.grounding.tas import assemble
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT, SubQueries, as_statement
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames
from stvg_core.video import sample_indices


class StraightFlow:
    """The same formulas without sharing anything between prompts."""

    def __init__(self, folder: str, loaded: LoadedModel, generate: int) -> None:
        self.model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
        self.model = self.model.float().eval().requires_grad_(False)
        self.loaded, self.generate = loaded, generate

    def ask(
        self,
        frames: Frames,
        question: str,
        prompt: torch.Tensor | None,
        backwards: bool,
        layers: tuple[int, ...] | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One prompt from pixels to (log p_yes - log p_no, rows ``[R, T, h, w]``)."""
        with torch.no_grad():
            tokens = self.loaded.family.encode(self.model, self.loaded.pixels, frames)
        visual, h, w = tokens.cells, tokens.h, tokens.w
        visual = visual.flip(0) if backwards else visual
        if prompt is not None:
            visual = visual + prompt
        embed = self.model.get_input_embeddings()
        layout = self.loaded.prompts
        head, tail = embed(torch.tensor(layout.head)), embed(torch.tensor(layout.suffix(question)))
        embeddings = torch.cat([head, visual.flatten(0, 1), tokens.trailing, tail])[None]
        output = self.model.model.language_model(inputs_embeds=embeddings, output_attentions=True)
        logits = self.model.lm_head(output.last_hidden_state[:, -1]).log_softmax(-1)[0]
        margin = logits[list(self.loaded.yes_ids)].logsumexp(0) - logits[list(self.loaded.no_ids)].logsumexp(0)
        maps = torch.stack([output.attentions[k][0] for k in (layers or range(len(output.attentions)))])
        first, watched = len(head), layout.watched(question)
        rows = maps.mean(dim=(0, 1))[-watched:, first : first + len(frames) * h * w]
        if self.generate and not (prompt is not None and prompt.requires_grad):
            self.model.generate(inputs_embeds=embeddings, max_new_tokens=self.generate, min_new_tokens=self.generate)
        return margin, rows.detach().view(watched, len(frames), h, w)

    def highlight(
        self, session: Session, frames: Frames, query: str, parts: SubQueries, settings: GroundingSettings
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A_S (assembled) and A_T. ``session`` only lends the token norm to the step rule."""
        layers = settings.layers
        neutral = {b: self.ask(frames, NEUTRAL_PROMPT, None, b, layers)[1] for b in (False, True)}

        def branch(question: str, backwards: bool) -> torch.Tensor:
            origin = session.zero_prompt().requires_grad_(True)
            margin, _ = self.ask(frames, question, origin, backwards, layers)
            (gradient,) = torch.autograd.grad(lra_loss(margin), origin)
            with torch.no_grad():
                prompt = step(origin.detach(), gradient, session, settings)
                _, rows = self.ask(frames, query, prompt, backwards, layers)
            return pick_map(
                rows,
                neutral[backwards],
                attention=settings.attention,
                guard=settings.guard,
                role_tokens=settings.role_tokens,
            )[0]

        forward, backward = branch(parts.spatial_question, False), branch(parts.spatial_question, True).flip(0)
        return assemble(forward, backward, settings.tas_operator), branch(parts.temporal_question, False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--generate", type=int, default=0, help="tokens decoded per look in the straight flow")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    loaded = load(args.model, device="cpu")
    straight = StraightFlow(args.model, loaded, args.generate)
    # The whole method, TAS included, with one step per learnable prompt.
    settings = replace(GroundingSettings(lra_rule="token_norm", lra_lr=0.01), layers=None)
    ours_s, straight_s, difference = [], [], 0.0
    for number in range(-1, args.clips):  # the first clip only warms up
        scene = split_scene("validation", 5000 + number)
        indices = sample_indices(scene.n_frames, args.frames)
        frames = Frames(render(scene, indices), indices, indices / float(scene.fps))
        query, parts = as_statement(scene.query), decompose(scene.query)
        began = time.perf_counter()
        found = highlight(Session(loaded, frames), query, parts, settings)
        between = time.perf_counter()
        spatial, temporal = straight.highlight(Session(loaded, frames), frames, query, parts, settings)
        ended = time.perf_counter()
        if number >= 0:
            ours_s.append(between - began)
            straight_s.append(ended - between)
        for ours, theirs in ((found.spatial, spatial), (found.temporal, temporal)):
            difference = max(difference, float((ours - theirs).abs().max() / theirs.abs().max()))
    ratios = np.array(straight_s) / np.array(ours_s)
    report = {
        **vars(args),
        "ours_s": round(float(np.median(ours_s)), 4),
        "straight_s": round(float(np.median(straight_s)), 4),
        "ratio_median": round(float(np.median(ratios)), 2),
        "ratio_range": [round(float(ratios.min()), 2), round(float(ratios.max()), 2)],
        "largest_relative_difference_of_maps": difference,
    }
    text = json.dumps(report, default=str, indent=1)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
