"""What must be set before the web process answers anybody?"""

from __future__ import annotations

from backend.settings import Settings, SettingsError


def require_credentials(settings: Settings) -> None:
    """:class:`SettingsError` unless callers can be told apart from strangers."""
    basic = settings.username is not None and settings.password is not None
    if not basic and settings.api_token is None:
        raise SettingsError(
            "Nobody could log in: set STVG_USERNAME and STVG_PASSWORD (Label Studio sends them), or STVG_API_TOKEN."
        )
