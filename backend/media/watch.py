"""How long may a transfer take in all, whatever the other side does?

A server that sends a byte now and then answers every read in time. So the clock is looked at with each read, below the
HTTP library: at the answer's head, its body, and while a name is looked up.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import httpcore
import httpx

Alive = Callable[[], None]
"""Called several times a second while a video is fetched. It may raise, to give up."""

_TICK_S = 0.25
LOOK_UP = "look-up"
"""The name of a thread in which something is asked that knows no time limit."""
_Found = TypeVar("_Found")


class TooLate(Exception):
    """The time for the whole transfer is over."""


class Watch:
    """The time for one transfer.

    Args:
        seconds: for all of it.
        alive: called with each look at the clock.
    """

    def __init__(self, seconds: float, alive: Alive | None = None) -> None:
        self._until, self._alive = time.monotonic() + seconds, alive

    def left(self) -> float:
        """Seconds, more than 0. Raises TooLate, and what ``alive`` raises."""
        if self._alive is not None:
            self._alive()
        left = self._until - time.monotonic()
        if left <= 0:
            raise TooLate
        return left

    def look(self) -> None:
        """Raises as :meth:`left`."""
        self.left()

    def wait(self, seconds: float) -> None:
        """Rest for so long. Raises as :meth:`left`."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, _TICK_S, self.left()))

    def within(self, look: Callable[[], _Found]) -> _Found:
        """What ``look`` returns or raises, for calls that know no time limit. Raises as :meth:`left`.

        A call that is given up goes on in a thread of its own until it ends by itself.
        """
        answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((True, look()))
            except BaseException as error:
                answers.put((False, error))

        Thread(target=work, name=LOOK_UP, daemon=True).start()
        while True:
            try:
                good, answer = answers.get(timeout=min(_TICK_S, self.left()))
            except Empty:
                continue
            if good:
                return answer  # type: ignore[no-any-return]
            raise answer


class WatchedTransport(httpx.HTTPTransport):
    """HTTP over connections that look at a watch."""

    def __init__(self, watch: Watch) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # The library lets the connections be chosen one level below only.
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Connections(watch))


class _Connections(httpcore.SyncBackend):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        problem: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._watch.within(lambda: _addresses(host, port)):
            limit = _shorter(timeout, self._watch.left())
            try:
                stream = super().connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _Stream(stream, self._watch)
        self._watch.look()
        raise problem


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, watch: Watch) -> None:
        self._stream, self._watch = stream, watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Waits in short pieces, so that the watch is looked at while nothing comes."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            piece = min(_TICK_S, self._watch.left())
            try:
                return self._stream.read(max_bytes, piece)
            except httpcore.ReadTimeout:
                self._watch.look()
                if until is not None and time.monotonic() >= until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _shorter(timeout, self._watch.left()))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _shorter(timeout, self._watch.left())
        try:
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, limit), self._watch)
        except httpcore.ConnectTimeout:
            self._watch.look()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _shorter(timeout: float | None, left: float) -> float:
    return left if timeout is None else min(timeout, left)
