"""Does Label Studio answer from here, and whose token is it?"""

from __future__ import annotations

from collections.abc import Iterator

from backend.bootstrap import require_label_studio
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from backend.labelstudio.transport import LabelStudioError
from backend.settings import SettingsError

ABOUT = "label studio"


def check(installation: Installation) -> Iterator[Finding]:
    """Does Label Studio answer, and does it take the token?"""
    client = installation.label_studio
    if client is None:
        try:
            require_label_studio(installation.settings).close()
        except SettingsError:
            mend = "Set STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN."
            yield warn(ABOUT, "Its address or token is not set: nothing is pushed there.", mend)
        except LabelStudioError as error:
            yield fail(ABOUT, str(error), "Look at STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN.")
        return
    try:
        release = client.version()
        user = client.whoami()
    except LabelStudioError as error:
        yield fail(ABOUT, str(error), _mend(error))
        return
    kind = "personal" if client.token_is_personal else "legacy"
    who = user.get("email") or user.get("username") or f"user {user.get('id', 'unknown')}"
    yield ok(ABOUT, f"Release {release} answers at {client.url}; the {kind} token is that of {who}.")


def _mend(error: LabelStudioError) -> str:
    if error.status == 401:
        return "Set STVG_LABEL_STUDIO_TOKEN."
    if error.status == 403:
        return "Use the token of somebody who may see the projects."
    return "Start it, or set STVG_LABEL_STUDIO_URL to the address under which this machine sees it."
