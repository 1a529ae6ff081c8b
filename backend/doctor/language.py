"""Are the models behind endpoints set up: the one that splits sentences, the one that is shown pictures?

Asked only on demand: it may cost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backend.bootstrap import method_settings, open_chat
from backend.doctor.finding import Finding, fail, ok
from backend.doctor.installation import Installation
from backend.language import ChatEndpoint, EndpointError
from stvg_core.chat.base import Ask, Shown
from stvg_core.errors import ModelError

ABOUT, LOCATOR = "language", "locator"
_QUESTION = 'Reply with this JSON object and nothing else: {"ok": true}'
_TOKENS = 20


def check_chat(installation: Installation) -> Iterator[Finding]:
    """The model that is shown pictures, where words decide: one question with one small picture."""
    settings = installation.settings
    try:
        method = method_settings(settings)
    except ModelError:
        return  # the check of the model says it
    if method.locator == "attention":
        yield ok(LOCATOR, "Where and when is read from the attention of the model on this machine.")
        return
    mend = "Look at STVG_LLM_URL, STVG_LLM_MODEL and STVG_LLM_KEY."
    try:
        chat = open_chat(settings, method)
    except EndpointError as error:
        yield fail(LOCATOR, str(error), mend)
        return
    if chat is None:
        yield ok(LOCATOR, f"The locator {method.locator} asks the model on this machine (STVG_MODEL).")
        return
    try:
        if not installation.ask:
            yield ok(
                LOCATOR, f"{chat.name} is set up for {method.locator}; it was not asked (--ask does, with one request)."
            )
            return
        picture = Shown("Picture 1, 0.00 s:", np.full((64, 64, 3), 128, np.uint8))
        chat.answers([Ask((picture,), "Say the word ready.", _TOKENS)])
        yield ok(LOCATOR, f"{chat.name} takes a picture and answers.")
    except EndpointError as error:
        yield fail(LOCATOR, str(error), mend)
    finally:
        chat.close()


def check(installation: Installation) -> Iterator[Finding]:
    """Does the endpoint answer that splits sentences?"""
    settings = installation.settings
    try:
        method = method_settings(settings)
    except ModelError:
        return  # the check of the model says it
    if method.decomposer != "endpoint":
        yield ok(ABOUT, f"Sentences are split by {'the model itself' if method.decomposer == 'model' else 'rules'}.")
        return
    key = None if settings.llm_key is None else settings.llm_key.get_secret_value()
    mend = "Look at STVG_LLM_URL, STVG_DECOMPOSER_MODEL (or STVG_LLM_MODEL) and STVG_LLM_KEY."
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
