"""A model behind an address that is shown pictures: :class:`stvg_core.chat.base.Chat` over a :class:`ChatEndpoint`.

Pictures go as ``data:`` addresses in the message itself; the caption of each stands before it as text. They are in no
log and in no error.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from backend.language.costs import Costs
from backend.language.endpoint import ChatEndpoint

if TYPE_CHECKING:
    from stvg_core.chat.base import Ask

RETRIES = 4
LONGEST_PAUSE_S = 60.0
"""Pictures are dear: an endpoint that is busy is waited for longer than for a sentence alone."""
LONGEST_S = 480.0
"""For one answer with all its repetitions: a job without progress is given up after 600 s (STVG_STALL_SECONDS)."""


class PictureChat:
    """As :class:`stvg_core.chat.base.Chat`; questions that are asked together are sent side by side.

    Args:
        url, model, key: as of :class:`ChatEndpoint`.
        timeout: seconds for connecting and for each read; a large model takes long for many pictures.
        parallel: so many requests at once.
        pause: as of :class:`ChatEndpoint`.

    Raises:
        EndpointError: as :class:`ChatEndpoint`.
    """

    loaded = None

    def __init__(
        self, url: str, model: str, key: str | None = None, *, timeout: float = 120.0, parallel: int = 4,
        pause: float = 1.0,
    ) -> None:  # fmt: skip
        self._endpoint = ChatEndpoint(
            url, model, key, timeout=timeout, deadline=min(4 * timeout, LONGEST_S), pause=pause,
            longest_pause=LONGEST_PAUSE_S, retries=RETRIES, parallel=parallel,
        )  # fmt: skip
        self._parallel = parallel

    @property
    def name(self) -> str:
        return self._endpoint.model

    @property
    def costs(self) -> Costs:
        """What was asked so far."""
        return self._endpoint.costs

    def close(self) -> None:
        self._endpoint.close()

    def answers(self, asked: Sequence[Ask]) -> list[str]:
        """As of :class:`stvg_core.chat.base.Chat`. Raises EndpointError."""
        if len(asked) == 1 or self._parallel == 1:
            return [self._answer(one) for one in asked]
        with ThreadPoolExecutor(min(self._parallel, len(asked)), thread_name_prefix="stvg-chat") as pool:
            return list(pool.map(self._answer, asked))

    def complete(self, prompt: str, max_tokens: int) -> str:
        """As of :class:`stvg_core.chat.base.Chat`. Raises EndpointError."""
        return self._endpoint.complete(prompt, max_tokens)

    def _answer(self, asked: Ask) -> str:
        return self._endpoint.ask(parts_of(asked), asked.max_tokens, len(asked.pictures))


def parts_of(asked: Ask) -> list[dict[str, Any]]:
    """The content of the message: caption, picture, caption, picture, ..., question."""
    from stvg_core.chat.pictures import jpeg  # OpenCV, which the web process does without

    parts: list[dict[str, Any]] = []
    for one in asked.pictures:
        data = base64.b64encode(jpeg(one.pixels)).decode()
        parts.append({"type": "text", "text": one.caption})
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}})
    return [*parts, {"type": "text", "text": asked.question}]
