"""A web of a few addresses, and a library of media that fetches from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.9"
Handler = Callable[[httpx.Request], httpx.Response]
SIGNED = "https://bucket.example/videos/a.mp4?X-Amz-Signature=hush&X-Amz-Credential=hush"


class Web:
    """Answers by host and path, and remembers what was asked."""

    def __init__(self, table: dict[str, httpx.Response | Handler]) -> None:
        self.table, self.asked = table, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.table.get(request.headers["host"] + request.url.path, httpx.Response(404))
        return answer(request) if callable(answer) else answer

    @property
    def hosts(self) -> list[str]:
        return [request.headers["host"] for request in self.asked]

    @property
    def with_token(self) -> list[bool]:
        return ["authorization" in request.headers for request in self.asked]


def library_over(tmp_path: Path, web: Handler, **options: Any) -> MediaLibrary:
    root, aliases = options.pop("document_root", None), options.pop("aliases", ())
    downloader = Downloader(
        label_studio_url=options.pop("url", "http://ls:8080"),
        label_studio_headers=lambda: {"Authorization": "Token secret"},
        label_studio_aliases=lambda: aliases,
        transport=httpx.MockTransport(web),
        resolver=options.pop("resolver", lambda host, port: [PUBLIC]),
        allowed_origins=options.pop("allowed_origins", []),
    )
    return MediaLibrary(MediaCache(tmp_path / "cache", 1 << 30), downloader, document_root=root, tries=1, pause_s=0)


def a_video(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"video of " + request.url.path.encode())
