"""Sends webhooks at a fixed rate from a process of its own, each with Label Studio's time limit; says how it went.

    python -m benchmarks.scale.sender HOST PORT --rate 100 --count 2000 --tasks 100000 --model-version ...

A webhook is begun at its time whether the ones before were answered or not, as Label Studio's users do not wait for
each other. Label Studio sends each once and ignores the reply: what got no answer within a second may be lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from benchmarks.scale import bodies
from benchmarks.scale.client import protocol_headers
from benchmarks.scale.programs import PASSWORD, USER

LIMIT_S = 1.0


async def send_all(address: tuple[str, int], requests: list[bytes], rate: float, limit: float) -> list[dict[str, Any]]:
    """``{"status", "seconds"}`` of each; the status is 0 where no answer came in time, -1 without a connection."""
    began = asyncio.get_running_loop().time()
    sent = []
    for nth, request in enumerate(requests):
        await asyncio.sleep(began + nth / rate - asyncio.get_running_loop().time())
        sent.append(asyncio.create_task(_send(address, request, limit)))
    return list(await asyncio.gather(*sent))


async def _send(address: tuple[str, int], request: bytes, limit: float) -> dict[str, Any]:
    began = time.perf_counter()
    writer = None
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request)
            answer = await reader.read()
        status = int(answer.split(b" ", 2)[1])
    except TimeoutError:
        status = 0
    except (OSError, IndexError, ValueError):
        status = -1
    finally:
        if writer is not None:
            writer.close()
    return {"status": status, "seconds": time.perf_counter() - began}


def request(address: tuple[str, int], body: bytes) -> bytes:
    """The bytes of ``POST /webhook``."""
    headers = protocol_headers(USER, PASSWORD) | {"Host": f"{address[0]}:{address[1]}", "Connection": "close"}
    headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhook HTTP/1.1\r\n{lines}\r\n".encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--model-version", required=True)
    parser.add_argument("--limit", type=float, default=LIMIT_S)
    args = parser.parse_args()
    address, numbers = (args.host, args.port), range(args.count)
    requests = [request(address, bodies.webhook(nth, args.tasks, args.model_version)) for nth in numbers]
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    json.dump(asyncio.run(send_all(address, requests, args.rate, args.limit)), sys.stdout)


if __name__ == "__main__":
    main()
