"""Is the language model that splits sentences set up, where one is chosen? Asked only on demand: it may cost."""

from __future__ import annotations

from collections.abc import Iterator

from backend.bootstrap import method_settings
from backend.doctor.finding import Finding, fail, ok
from backend.doctor.installation import Installation
from backend.language import ChatEndpoint, EndpointError
from stvg_core.errors import ModelError

ABOUT = "language"
_QUESTION = 'Reply with this JSON object and nothing else: {"ok": true}'
_TOKENS = 20


def check(installation: Installation) -> Iterator[Finding]:
    settings = installation.settings
    try:
        method = method_settings(settings)
    except ModelError:
        return  # the check of the model says it
    if method.decomposer != "endpoint":
        yield ok(ABOUT, f"Sentences are split by {'the model itself' if method.decomposer == 'model' else 'rules'}.")
        return
    key = None if settings.llm_key is None else settings.llm_key.get_secret_value()
    mend = "Look at STVG_LLM_URL, STVG_DECOMPOSER_MODEL and STVG_LLM_KEY."
    try:
        endpoint = ChatEndpoint(settings.llm_url or "", method.decomposer_model, key)
    except EndpointError as error:
        yield fail(ABOUT, str(error), mend)
        return
    try:
        if installation.ask:
            endpoint.complete(_QUESTION, _TOKENS)
            yield ok(ABOUT, f"{method.decomposer_model} answers.")
        else:
            yield ok(ABOUT, f"{method.decomposer_model} is set up; it was not asked (--ask does, with one request).")
    except EndpointError as error:
        yield fail(ABOUT, str(error), mend)
    finally:
        endpoint.close()
