"""Which settings does the model run with now, and what is it called with them?

The base is the model's own preset with what the environment chose over it. The newest calibration that was adopted for
the same weights and the same looks (:meth:`GroundingSettings.looks_digest`) is laid over it. It changes how stored
scores are joined, never the model, so a worker can change over between two jobs, and back.

Where the joining itself was chosen by hand (STVG_SET, --set, a preset), it stands: only calibrations that were made on
top of just that choice are laid over it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from backend.db import calibrations
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version


class Versions:
    """The versions of one model folder or hub id.

    Attributes:
        base: the version before any calibration.
        looks: what a calibration must have been made for to be laid over it.

    Args:
        by_hand: how the scores are joined was chosen by somebody, not by the model's own preset.
    """

    def __init__(
        self, model: str, method: GroundingSettings, *, base: str | None = None, by_hand: bool = False
    ) -> None:
        self.method = method
        self.base = base or model_version(model, method)
        self.weights = self.base.rpartition("/")[0]
        self.looks = f"{self.weights}/{method.looks_digest()}" + (f"+{method.digest()}" if by_hand else "")

    def present(self, session: Session) -> str:
        """What new jobs are for."""
        return self.name(self.settings(session))

    def settings(self, session: Session) -> GroundingSettings:
        """What :meth:`present` names."""
        return self._over(calibrations.adopted(session, self.looks))

    def of(self, session: Session, version: str) -> GroundingSettings | None:
        """The settings of the base or of any calibration that was ever adopted; None for a stranger."""
        if version == self.base:
            return self.method
        changes = calibrations.of_version(session, self.looks, version)
        return None if changes is None else self._over(changes)

    def every(self, session: Session) -> list[str]:
        """All versions that :meth:`of` knows."""
        return list(dict.fromkeys([self.base, *calibrations.versions(session, self.looks)]))

    def name(self, settings: GroundingSettings) -> str:
        """The version string of these weights with other settings of the joining."""
        return self.base if settings == self.method else f"{self.weights}/{settings.digest()}"

    def _over(self, changes: dict[str, Any]) -> GroundingSettings:
        return replace(self.method, **changes) if changes else self.method
