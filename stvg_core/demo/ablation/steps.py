"""The method grows part by part, in the order of the paper's own ablation, then by what this project adds.

The steps are settings and need no torch; only who looks loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stvg_core.query import SubQueries
from stvg_core.settings import ActionSubject, GroundingSettings, TasQuestion

if TYPE_CHECKING:
    from stvg_core.method.evidence import Rows
    from stvg_core.mllm.session import Session


@dataclass(frozen=True)
class Step:
    """One row of the table.

    Attributes:
        name: as printed.
        before: the step that it is compared with, "" for none.
        changes: what differs from the model's own preset.
    """

    name: str
    before: str
    changes: dict[str, object]


_PLAIN = {
    "lra_steps": 0, "tas": False, "second_look": False, "role_tokens": "gti", "attention": "relative",
    "gti_rows": "same", "action_subject": "phrase",
}  # fmt: skip
_BOTH = _PLAIN | {"lra_steps": 1, "lra_branches": ("spatial", "temporal")}
_TEMPORAL = _BOTH | {"lra_branches": ("temporal",)}
_BARE = {"action_subject": "noun"}
_TURNED = {"tas": True, "tas_question": "reversed", "tas_operator": "product"}
GTI_RAW = "GTI by raw rows, relative map"
MEAN, GTI, V_S, V_T, BOTH = "mean of role tokens", "+ GTI", "+ V_s", "+ V_t", "+ V_s and V_t"
V_T_BARE, BOTH_BARE = "+ V_t, bare noun", "+ V_s and V_t, bare noun"
TAS, TURNED, TEMPORAL, SECOND = "+ TAS", "+ TAS, action turned", "+ TAS on both branches", "+ second look"
SHIPPED = "as shipped"

STEPS = (
    Step(MEAN, "", _PLAIN | {"role_tokens": "mean"}),
    Step("raw attention instead of relative", MEAN, _PLAIN | {"role_tokens": "mean", "attention": "raw"}),
    Step(GTI, MEAN, _PLAIN),
    Step(GTI_RAW, GTI, _PLAIN | {"gti_rows": "raw"}),
    Step(V_S, GTI, _BOTH | {"lra_branches": ("spatial",)}),
    Step(V_T, GTI, _TEMPORAL),
    Step(V_T_BARE, V_T, _TEMPORAL | _BARE),
    Step(BOTH, GTI, _BOTH),
    Step(BOTH_BARE, BOTH, _BOTH | _BARE),
    Step(TAS, BOTH, _BOTH | {"tas": True, "tas_question": "query", "tas_operator": "mean", "tas_temporal": False}),
    Step(TURNED, BOTH, _BOTH | _TURNED | {"tas_temporal": False}),
    Step(TEMPORAL, TURNED, _BOTH | _TURNED | {"tas_temporal": True}),
    Step(SECOND, TEMPORAL, _BOTH | _TURNED | {"tas_temporal": True, "second_look": True}),
    Step(SHIPPED, SECOND, {}),
)


def settings_of(step: Step, preset: GroundingSettings) -> GroundingSettings:
    """The settings of a step, in front of a model's preset."""
    return replace(preset, **step.changes)  # type: ignore[arg-type]


class SharedLooks:
    """The looks of all steps at one video and sentence; a look that several steps share is done once.

    What a branch sees with its own V does not depend on whether the other branch learns one, so the rows of any
    combination are put together from those without V and those with both. ``parts`` holds the sub-queries in each form
    of the action, which only V depends on.
    """

    def __init__(
        self, session: Session, query: str, parts: Mapping[ActionSubject, SubQueries], preset: GroundingSettings
    ) -> None:
        self._session, self._query, self._parts = session, query, parts
        self._preset = replace(preset, tas=True, tas_temporal=True)
        self._seen: dict[tuple[bool, str, str], Rows] = {}

    def __call__(self, settings: GroundingSettings) -> Rows:
        forward = self._one_way(settings, backwards=False)
        return replace(forward, backward=self._one_way(settings, backwards=True)) if settings.tas else forward

    def _one_way(self, settings: GroundingSettings, *, backwards: bool) -> Rows:
        learnt = settings.lra_branches if settings.lra_steps else ()
        plain, both = (self._look(settings, backwards, learns) for learns in (False, bool(learnt)))
        return replace(
            plain,
            spatial=both.spatial if "spatial" in learnt else plain.spatial,
            temporal=both.temporal if "temporal" in learnt else plain.temporal,
        )

    def _look(self, asked: GroundingSettings, backwards: bool, learns: bool) -> Rows:
        from stvg_core.method.look import look_one_way, turned

        question: TasQuestion = asked.tas_question
        key = (backwards, question if backwards else "", asked.action_subject if learns else "")
        if key not in self._seen:
            settings = replace(
                self._preset, tas_question=question, lra_steps=int(learns), lra_branches=("spatial", "temporal")
            )
            parts = self._parts[asked.action_subject]
            query, parts = turned(self._query, parts, settings) if backwards else (self._query, parts)
            self._seen[key] = look_one_way(self._session, query, parts, settings, backwards=backwards)
        return self._seen[key]
