"""What do families write around the frames of a video? Markers, numbers and timestamps between the visual tokens.

The words are those of each family's own processor in transformers; the markers' names come from the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stvg_core.errors import ModelError


@dataclass(frozen=True)
class Spelling:
    """How the placeholder of a chat template becomes one mark per slot with text around it.

    Attributes:
        placeholders: what the template writes for a video, the most exact first; the first one found is replaced.
        mark: the token that stands for a slot's cells.
        before: ``(number of the slot from 0, seconds) -> text`` before a slot's cells.
        after: text after a slot's cells.
        between: text between two slots.
    """

    placeholders: tuple[str, ...]
    mark: str
    before: Callable[[int, float], str] = lambda number, seconds: ""
    after: str = ""
    between: str = ""

    def expand(self, rendered: str, seconds: tuple[float, ...]) -> str:
        """The rendered template with its first placeholder written out for slots at ``seconds``.

        Raises:
            ModelError: the template leaves no place for a video.
        """
        for placeholder in self.placeholders:
            head, found, tail = rendered.partition(placeholder)
            if found:
                slots = [self.before(number, time) + self.mark + self.after for number, time in enumerate(seconds)]
                return head + self.between.join(slots) + tail
        raise ModelError("The model's chat template leaves no place for a video; is it a video checkpoint?")


def plain(tokenizer: Any, config: Any) -> Spelling:
    """All cells in one row, nothing in between."""
    video = _token(tokenizer, config.video_token_id)
    return Spelling((video,), video)


def timestamps(tokenizer: Any, config: Any) -> Spelling:
    """Qwen3-VL: each slot in a pair of vision markers, its time in front: ``<1.5 seconds>``.

    The template's own pair of markers gives way to those of the slots, as in the processor with which the model was
    released (and vLLM's); transformers 5.10 and newer keep it around the whole.
    """
    video = _token(tokenizer, config.video_token_id)
    start, end = _token(tokenizer, config.vision_start_token_id), _token(tokenizer, config.vision_end_token_id)
    return Spelling((start + video + end, video), video, lambda _, seconds: f"<{seconds:.1f} seconds>{start}", end)


def numbered_images(tokenizer: Any, config: Any) -> Spelling:
    """InternVL: ``Frame1: `` and a pair of image markers for each frame, one a line."""
    start, end = (getattr(tokenizer, name, None) for name in ("start_image_token", "end_image_token"))
    if not start or not end:
        raise ModelError("The tokenizer does not name the markers around an image; is it an InternVL checkpoint?")
    video = getattr(tokenizer, "video_token", None) or "<video>"
    mark = _token(tokenizer, config.image_token_id)
    return Spelling((video,), mark, lambda number, _: f"Frame{number + 1}: {start}", end, "\n")


def _token(tokenizer: Any, number: int) -> str:
    return str(tokenizer.convert_ids_to_tokens(int(number)))
