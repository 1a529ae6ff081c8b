"""Can Label Studio log in to the service, and strangers not?"""

from __future__ import annotations

from collections.abc import Iterator

from backend.bootstrap import require_credentials
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from backend.settings import SettingsError

ABOUT = "credentials"
SHORTEST = 12
"""Characters. Programs may guess as fast as the service answers: it never refuses one that is right."""


def check(installation: Installation) -> Iterator[Finding]:
    """Must callers of this backend log in?"""
    settings = installation.settings
    try:
        require_credentials(settings)
    except SettingsError:
        if settings.label_studio_url is None:
            yield warn(
                ABOUT,
                "None are set: stvg serve will not start. stvg prelabel and other commands need none.",
                "Set STVG_USERNAME and STVG_PASSWORD, which Label Studio sends.",
            )
            return
        yield fail(ABOUT, "Nobody could log in.", "Set STVG_USERNAME and STVG_PASSWORD, which Label Studio sends.")
        return
    given = {
        "STVG_PASSWORD": settings.password,
        "STVG_API_TOKEN": settings.api_token,
        "STVG_WEBHOOK_TOKEN": settings.webhook_token,
    }
    short = [name for name, secret in given.items() if secret and len(secret.get_secret_value()) < SHORTEST]
    if short:
        yield warn(
            ABOUT,
            f"Whoever reaches the service can guess {' and '.join(short)}: shorter than {SHORTEST} characters.",
            "Take a long one, such as openssl rand -hex 20 prints, and run stvg connect again.",
        )
    if settings.username is None or settings.password is None:
        yield warn(
            ABOUT,
            "Only STVG_API_TOKEN is set, and Label Studio sends a user name and a password.",
            "Set STVG_USERNAME and STVG_PASSWORD too.",
        )
    elif settings.webhook_token is None:
        yield warn(
            ABOUT,
            "A user name and a password are set; each webhook carries them, because it has no token of its own.",
            "Set STVG_WEBHOOK_TOKEN and run stvg connect again.",
        )
    else:
        yield ok(ABOUT, "A user name, a password and a token for webhooks are set.")
