"""The paper's figure: learn V_s and V_t on the sub-queries, then look with the sentence at T_v + V_s and T_v + V_t.

:func:`look_one_way` is the figure, :func:`look` adds the reversed video (stages 7 and 8), :func:`look_each` does it for
several sentences, :func:`look_again` is the second, denser look. What the rows mean is decided in
:mod:`stvg_core.method.maps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from stvg_core.decomposition.reversal import reverse_action, reverse_parts
from stvg_core.method.evidence import Rows
from stvg_core.method.lra import GUARD_SHARES, learn
from stvg_core.mllm.session import Answer, Prefix, Session
from stvg_core.out_of_memory import in_batches
from stvg_core.query import NEUTRAL_PROMPT, SubQueries, as_statement, whole
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array

Sentence = tuple[str, SubQueries]
"""The original sentence, as a statement, and its sub-queries."""


@dataclass(frozen=True)
class _Learnt:
    """A branch that has learnt its V on ``question``; ``before`` is the answer to that without V, ``heads`` whose rows
    it looks with (None: those of the layers).
    """

    v: torch.Tensor
    query: str
    question: str
    before: torch.Tensor
    heads: tuple[str, ...] | None


_Seen = tuple[torch.Tensor, torch.Tensor, float]
"""The sentence's rows with V, the answer to the question with V, and the share of V that was used."""


def look_one_way(
    session: Session, query: str, parts: SubQueries, settings: GroundingSettings, *, backwards: bool = False
) -> Rows:
    """Both branches in one direction of time.

    A branch that learns no V looks on the prefill at V = 0, which the session keeps for further sentences.

    Raises:
        NonFiniteError: the model answered with NaN or infinite numbers.
    """
    return _one_way(session, [(query, parts)], settings, 1, True, backwards)[0]


def _one_way(
    session: Session, sentences: Sequence[Sentence], settings: GroundingSettings, at_once: int, keep: bool,
    backwards: bool, tick: Callable[[float], None] = lambda share: None,
) -> list[Rows]:  # fmt: skip
    """Several sentences in one direction; up to ``at_once`` prefills with V run as one batch.

    Without ``keep`` the graph of the prefill at V = 0 is let go of before those with V are made.
    """
    found, learnt, done = [], [], 0
    for query, parts in sentences:
        branches = _branches(query, parts, settings, backwards)
        learning = [n for n, name in enumerate(branches) if settings.lra_steps > 0 and name in settings.lra_branches]

        zero, prefix = session.origin(backwards=backwards, learnable=bool(learning))  # prefill at V = 0
        margins, seen, neutral = _ask(session, prefix, query, branches, learning, settings, backwards)  # Q_s and Q_t
        questions = [list(branches.values())[n] for n in learning]
        vs = learn(  # step: V_s, V_t
            session, zero, margins[learning], questions, settings, backwards=backwards,
            together=prefix if at_once > 1 else None,
        )  # fmt: skip
        margins = margins.detach()  # the graph of the questions is let go of
        heads = [_heads(name, settings) for name in branches]
        learnt += [
            _Learnt(v, query, question, margins[n], heads[n])
            for v, question, n in zip(vs, questions, learning, strict=True)
        ]
        found.append((margins, seen, neutral, learning))
        tick(len(found) / len(sentences) / 2)

    if not keep:
        session.release()
        prefix = prefix.without_graph()

    def watched(some: Sequence[_Learnt]) -> list[_Seen]:
        nonlocal done
        seen = _watched(session, prefix, some, settings, backwards)
        done += len(some)
        tick((1 + done / len(learnt)) / 2)
        return seen

    with_v = iter(in_batches(learnt, watched, at_once, session.shrink))  # prefill with V_s and with V_t, rows of Q
    looked = []
    for margins, seen, neutral, learning in found:
        after, share = margins.clone(), torch.full((len(margins),), float("nan"))
        for n in learning:
            seen[n], after[n], share[n] = next(with_v)
        temporal = seen[len(margins) - 1]
        found_rows = rows_of(seen[0], temporal, neutral[0], margins, *((after, share) if learning else ()))
        if neutral[1] is not neutral[0]:
            found_rows = replace(found_rows, temporal_neutral=_numbers(neutral[1]))
        looked.append(found_rows)
    return looked


def look(
    session: Session,
    query: str,
    parts: SubQueries,
    settings: GroundingSettings,
    tick: Callable[[float], None] = lambda share: None,
    *,
    keep: bool = True,
) -> Rows:
    """The video, and with TAS the reversed video.

    Args:
        query: the original sentence, as a statement.
        parts: its sub-queries.
        tick: called with the share that is done.
        keep: leave the session's prefills at V = 0 for the next query on this video. Without it, the graph of one
            direction is gone before anything else is made, which halves the memory for gradients.

    Raises: as :func:`look_one_way`.
    """
    return look_each(session, [(query, parts)], settings, tick, keep=keep)[0]


def look_each(
    session: Session, sentences: Sequence[Sentence], settings: GroundingSettings,
    tick: Callable[[float], None] = lambda share: None, *, keep: bool = True,
) -> list[Rows]:  # fmt: skip
    """:func:`look` for each of several sentences, direction by direction: without ``keep``, too, all share one prefill
    at V = 0 per direction. Prefills with V run in batches where the session says so; of one sentence they never do.
    """
    alone = len(sentences) == 1
    at_once, directions = 1 if alone else session.at_once(), 2 if settings.tas else 1

    def part(share: float, before: int = 0) -> None:
        if not alone:  # a group's step from one direction to the next is long
            tick((before + share) / directions)

    forward = _one_way(session, sentences, settings, at_once, keep, False, part)
    tick(0.5 if settings.tas else 1.0)
    if not settings.tas:
        return forward
    reverse = [turned(query, parts, settings) for query, parts in sentences]
    backward = _one_way(session, reverse, settings, at_once, keep, True, partial(part, before=1))
    tick(1.0)
    return [replace(one, backward=other) for one, other in zip(forward, backward, strict=True)]


@torch.no_grad()
def look_again(session: Session, query: str, parts: SubQueries, settings: GroundingSettings) -> Rows:
    """The second look, at other frames of the same video: no V, one prefill per direction; the reversed video only
    where its temporal rows are used.
    """
    return look(session, query, parts, replace(settings, lra_steps=0, tas=settings.tas and settings.tas_temporal))


def turned(query: str, parts: SubQueries, settings: GroundingSettings) -> tuple[str, SubQueries]:
    """The query and sub-queries for the reversed video, by ``settings.tas_question``."""
    if settings.tas_question == "attribute":
        return as_statement(parts.attribute), parts
    if settings.tas_question == "reversed":
        return reverse_action(query, parts), reverse_parts(parts)
    return query, parts


def _branches(query: str, parts: SubQueries, settings: GroundingSettings, backwards: bool) -> dict[str, str]:
    """Q_s, and Q_t: of the reversed video only where the temporal branch is assembled."""
    spatial = {"spatial": spatial_question(query, parts, settings)}
    return spatial if backwards and not settings.tas_temporal else spatial | {"temporal": parts.temporal_question}


def _heads(branch: str, settings: GroundingSettings) -> tuple[str, ...] | None:
    """The heads that a branch looks with; None: all heads of ``layers``."""
    return settings.temporal_heads if branch == "temporal" else None


def spatial_question(query: str, parts: SubQueries, settings: GroundingSettings) -> str:
    """What V_s is learnt with: Q_s, or the whole sentence as a question."""
    return (parts if settings.v_s_question == "attribute" else whole(query)).spatial_question


def _ask(
    session: Session, prefix: Prefix, query: str, branches: dict[str, str], learning: list[int],
    settings: GroundingSettings, backwards: bool,
) -> tuple[torch.Tensor, dict[int, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:  # fmt: skip
    """One batch at V = 0: the branches' questions; the query, if a branch learns no V; the neutral prompt, the first
    time.

    Returns:
        ``[B]`` log p_yes - log p_no of the questions, the query's rows for the branches that learn no V, and the
        neutral rows for the spatial and for the temporal branch (the same, where that has no heads of its own).
    """
    of_branch = [_heads(name, settings) for name in branches]
    heads = of_branch[-1]
    key, plain = (backwards, settings.layers, heads), [n for n in range(len(branches)) if n not in learning]
    new = key not in session.neutral
    asked = [*branches.values(), *([query] if plain else []), *([NEUTRAL_PROMPT] if new else [])]
    with torch.set_grad_enabled(bool(learning)):
        said = _look_with(session, prefix, asked, heads, settings, rows=bool(plain) or new)
    if new:
        session.neutral[key] = said.rows[-1], _rows_for(said, -1, heads)
    looked = {n: _rows_for(said, len(branches), of_branch[n]) for n in plain}
    return said.yes_minus_no[: len(branches)], looked, session.neutral[key]


def _look_with(
    session: Session, prefix: Prefix, asked: list[str], heads: tuple[str, ...] | None, settings: GroundingSettings,
    *, rows: bool = True,
) -> Answer:  # fmt: skip
    chosen = {} if heads is None else {"heads": heads}
    return session.ask(prefix, asked, rows=rows, layers=settings.layers, **chosen)


def _rows_for(said: Answer, number: int, heads: tuple[str, ...] | None) -> torch.Tensor:
    """The rows of one question for a branch that looks with ``heads``."""
    return said.rows[number] if heads is None else said.of_heads[number]


@torch.no_grad()
def _seen_with(
    session: Session, learnt: Sequence[_Learnt], share: float, settings: GroundingSettings, backwards: bool
) -> list[_Seen]:
    """On T_v + ``share`` V of each branch, prefilled as one batch: the watched rows of the query, ``[R, T, h, w]``, in
    the order in which slots are shown; and log p_yes - log p_no of the question, which costs one more short suffix.
    """
    prefixes = session.prefill_each([share * one.v for one in learnt], backwards=backwards)
    seen = []
    for one, prefix in zip(learnt, prefixes, strict=True):
        # Sentence by sentence: in one batch, questions of other lengths would change how each is padded, and its bits.
        said = _look_with(session, prefix, [one.query, one.question], one.heads, settings)
        seen.append((_rows_for(said, 0, one.heads), said.yes_minus_no[1], share))
    return seen


def _watched(
    session: Session, prefix: Prefix, learnt: Sequence[_Learnt], settings: GroundingSettings, backwards: bool
) -> list[_Seen]:
    """:func:`_seen_with` the largest share of V that makes "yes" no less likely than without, or with none, on the
    ``prefix`` at V = 0 (``lra_guard`` of the settings). Branches that need a smaller share form a smaller batch.
    """
    seen: dict[int, _Seen] = {}
    for share in GUARD_SHARES if settings.lra_guard else (1.0,):
        left = [n for n in range(len(learnt)) if n not in seen]
        tried = _seen_with(session, [learnt[n] for n in left], share, settings, backwards)
        for n, one in zip(left, tried, strict=True):
            if not settings.lra_guard or one[1] >= learnt[n].before:
                seen[n] = one
        if len(seen) == len(learnt):
            break
    with torch.no_grad():
        for n in range(len(learnt)):
            if n not in seen:
                heads = learnt[n].heads
                said = _look_with(session, prefix, [learnt[n].query], heads, settings)
                seen[n] = _rows_for(said, 0, heads), learnt[n].before, 0.0
    return [seen[n] for n in range(len(learnt))]


def rows_of(
    spatial: torch.Tensor, temporal: torch.Tensor, neutral: torch.Tensor, yes_minus_no: torch.Tensor,
    after: torch.Tensor | None = None, share: torch.Tensor | None = None,
) -> Rows:  # fmt: skip
    """Rows on the host, as float32."""
    where = _numbers(spatial)
    when = where if temporal is spatial else _numbers(temporal)
    found = Rows(where, when, _numbers(neutral), _numbers(yes_minus_no))
    if after is None or share is None:
        return found
    return replace(found, yes_minus_no_after=_numbers(after), v_share=_numbers(share))


def _numbers(values: torch.Tensor) -> Array:
    array: Array = values.detach().float().cpu().numpy()
    return array
