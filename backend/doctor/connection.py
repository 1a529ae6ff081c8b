"""Does Label Studio reach the service? It says so itself: each project's model backend has an address and a state."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from backend.addresses import without_secrets
from backend.db import projects
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.connect import BACKEND_TITLE
from backend.labelstudio.transport import LabelStudioError
from backend.media import MediaError
from backend.media.address import is_public, resolve

ABOUT = "connection"
_UNREACHED, _ERROR = "DI", "ER"
_AT_MOST = 50
"""Projects: Label Studio calls the service for each."""
ALLOW = (
    "Its address is a private one, and Label Studio calls such only when it was started with ML_BLOCK_LOCAL_IP=false "
    "and SSRF_PROTECTION_ENABLED=false."
)


def check(installation: Installation) -> Iterator[Finding]:
    """Is this backend connected to each project, and does Label Studio reach it?"""
    client = installation.label_studio
    if client is None or installation.database is None:
        return  # another check says why
    with installation.database.read() as session:
        numbers = projects.in_label_studio(session)
    if not numbers:
        yield warn(ABOUT, "No project of Label Studio is known here.", "Run: stvg connect --project NAME")
    for number in numbers[:_AT_MOST]:
        try:
            yield _project(client, number, installation.settings.own_url())
        except LabelStudioError as error:
            if error.status is None:
                return  # Label Studio itself is away: its own check says it
            if error.status == 404:
                yield ok(ABOUT, f"Project {number} is no more in Label Studio.")
            else:
                yield fail(ABOUT, f"Project {number}: {error}", "Use the token of somebody who may change the project.")
    if len(numbers) > _AT_MOST:
        yield ok(ABOUT, f"{len(numbers) - _AT_MOST} further projects were not looked at.")


def _project(client: LabelStudioClient, number: int, own_url: str) -> Finding:
    backends = client.ml_backends(number)
    ours = [b for b in backends if b.get("title") == BACKEND_TITLE or str(b.get("url", "")).rstrip("/") == own_url]
    if not ours:
        return warn(ABOUT, f"Project {number} has no model backend of ours.", f"Run: stvg connect --project {number}")
    # Asked for by its number, Label Studio calls the backend; in the list it shows what it found some time ago.
    return judge(number, client.ml_backend(int(ours[0]["id"])))


def judge(number: int, backend: Json) -> Finding:
    """A backend as Label Studio tells of it, in a person's words."""
    url, state = without_secrets(str(backend.get("url", ""))), backend.get("state")
    if state == _UNREACHED:
        mend = (
            "Start stvg serve; is it the address under which Label Studio's machine sees it "
            f"(stvg connect --project {number} --backend-url)?"
        )
        mend += f" {ALLOW}" if _is_private(url) else ""
        return fail(ABOUT, f"Label Studio does not reach {url} for project {number}.", mend)
    if state == _ERROR:
        reason = " ".join(str(backend.get("error_message") or "no reason").split())[:300]
        wrong = "401" in reason
        mend = (
            f"STVG_USERNAME and STVG_PASSWORD differ from those it has: run stvg connect --project {number}"
            if wrong
            else "The log of stvg serve has the details."
        )
        return fail(ABOUT, f"The service at {url} refuses project {number}: {reason}.", mend)
    return ok(ABOUT, f"Label Studio reaches {url} for project {number}.")


def _is_private(url: str) -> bool:
    """Would Label Studio's guard take it for an address of its own network? A name that is not known here may be."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return not all(is_public(ipaddress.ip_address(found)) for found in resolve(host, 80))
    except MediaError:
        return True
