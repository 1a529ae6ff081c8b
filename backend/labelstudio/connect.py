"""Tie a Label Studio project to this service. What is missing or stale, and what mends it?

Every step looks first and changes only what is not as it should be, so that running it again is harmless. Ours are
recognised by the backend's title and by a header on the webhook, so that those of other services stay untouched.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig, LabelConfigError, read_config
from backend.labelstudio.events import WANTED
from backend.labelstudio.payloads import WHERE
from backend.labelstudio.transport import LabelStudioError

BACKEND_TITLE = "Spatio-temporal tubes"
MARK = "X-Stvg-Webhook"
"""A header that tells our webhooks from others'."""


@dataclass(frozen=True)
class Service:
    """Our service as Label Studio reaches it. The webhook may carry a token that opens nothing else."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    webhook_token: str | None = field(default=None, repr=False)

    @property
    def webhook_url(self) -> str:
        return self.url.rstrip("/") + "/webhook"

    def webhook_headers(self) -> dict[str, str]:
        """What Label Studio must send along with each event: a backend's own log-in goes everywhere but there."""
        headers = {MARK: "1"}
        if self.webhook_token:
            headers["Authorization"] = f"Bearer {self.webhook_token}"
        elif self.username and self.password:
            pair = f"{self.username}:{self.password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        return headers

    def backend_fields(self, label_studio_url: str) -> Json:
        """The model backend's fields. The address goes along with every change: Label Studio checks it each time.

        Args:
            label_studio_url: where we call Label Studio. It says so with its own name, which is then known to be of it.
        """
        fields: Json = {"url": self.url.rstrip("/"), "title": BACKEND_TITLE, "is_interactive": True}
        fields["extra_params"] = {WHERE: label_studio_url}
        if self.username and self.password:
            auth = {"auth_method": "BASIC_AUTH", "basic_auth_user": self.username, "basic_auth_pass": self.password}
            return fields | auth
        return fields | {"auth_method": "NONE"}


@dataclass(frozen=True)
class ProjectPlan:
    """What :func:`ensure_project` will do; nothing has been changed yet.

    Attributes:
        title: as asked for: of a project that does not exist yet, its title.
        found: the project, None where it will be created.
        label_config, config: the interface that it will have, and as it is read.
        replaces: the interface that it has goes.
    """

    title: str
    found: Json | None
    label_config: str
    config: LabelConfig
    replaces: bool = False


def plan_project(
    client: LabelStudioClient, project: str, label_config: str, *, replace_config: bool = False
) -> ProjectPlan:
    """Find the project by number or exact title, and say which interface it will have. Changes nothing.

    Raises:
        LabelStudioError: no such project, or a refusal.
        LabelConfigError: the project's interface cannot hold a tube, and labels depend on it.
    """
    project = project.strip()
    found = find_project(client, project)
    if found is None:
        return ProjectPlan(project, None, label_config, read_config(label_config))
    current = str(found.get("label_config") or "")
    if current.strip() == label_config.strip():
        return ProjectPlan(project, found, current, read_config(current))
    try:
        config = read_config(current)
        problem = None
    except LabelConfigError as error:
        problem = str(error)
    if problem is None and not replace_config:
        return ProjectPlan(project, found, current, config)
    if not replace_config and "<" in _without_view(current):
        name = _named(found)
        raise LabelConfigError(f"{problem} Or let stvg connect replace the interface of {name}: --replace-config.")
    return ProjectPlan(project, found, label_config, read_config(label_config), replaces=True)


def ensure_project(
    client: LabelStudioClient, project: str, label_config: str, *, replace_config: bool = False
) -> tuple[Json, LabelConfig, list[str]]:
    """Find the project by number or exact title, or create it; give it an interface that can hold a tube.

    A team's own interface stays as long as a tube fits in; ``replace_config`` puts ``label_config`` in its place.

    Returns:
        The project, its interface as read, and what was done, one sentence each.

    Raises:
        LabelStudioError, LabelConfigError: as :func:`plan_project`.
    """
    plan = plan_project(client, project, label_config, replace_config=replace_config)
    found, done = carry_out(client, plan, label_config)
    return found, plan.config, done


def carry_out(client: LabelStudioClient, plan: ProjectPlan, ours: str) -> tuple[Json, list[str]]:
    """Make the project as planned; returns it and what was done. ``ours`` is the tube interface."""
    if plan.found is None:
        client.validate_config(plan.label_config)
        created = client.create_project(plan.title, plan.label_config)
        return created, [f'created project {created["id"]} "{plan.title}"']
    name = _named(plan.found)
    if not plan.replaces:
        same = plan.label_config.strip() == ours.strip()
        return plan.found, [f"{name} has the tube interface" if same else f"{name} keeps its own interface"]
    client.validate_config(plan.label_config, int(plan.found["id"]))
    updated = client.update_project(int(plan.found["id"]), label_config=plan.label_config)
    return updated, [f"gave {name} the tube interface"]


def _named(project: Json) -> str:
    return f'project {project["id"]} "{project.get("title", "")}"'


def ensure_webhook(client: LabelStudioClient, project_id: int, service: Service) -> list[str]:
    """One webhook to our address, with its header, for the events that we read; stale and doubled ones removed.

    Call it after :func:`ensure_backend`: an address that Label Studio cannot reach is refused there, before the webhook
    of a working connection is touched; and the webhook that Label Studio makes for a new backend gets its header here.
    """
    wanted: Json = {
        "headers": service.webhook_headers(),
        "actions": sorted(WANTED),
        "send_for_all_actions": False,
        "send_payload": True,
        "is_active": True,
    }
    done: list[str] = []
    ours: list[Json] = []
    for hook in client.webhooks(project_id):
        if hook.get("url") == service.webhook_url:
            ours.append(hook)
        elif MARK in (hook.get("headers") or {}):
            client.delete_webhook(int(hook["id"]))
            done.append(f"removed a stale webhook to {hook.get('url')}")
    for double in ours[1:]:
        client.delete_webhook(int(double["id"]))
        done.append("removed a doubled webhook")
    if not ours:
        client.create_webhook(project_id, service.webhook_url, **wanted)
        done.append(f"created the webhook to {service.webhook_url}")
    elif {key: _comparable(ours[0].get(key)) for key in wanted} != {k: _comparable(v) for k, v in wanted.items()}:
        client.update_webhook(int(ours[0]["id"]), **wanted)
        done.append("gave the webhook its header and events")
    else:
        done.append("the webhook is as it should be")
    return done


def ensure_backend(client: LabelStudioClient, project: Json, service: Service) -> tuple[int, list[str]]:
    """One model backend at our address, with its log-in, and the project showing its predictions.

    Label Studio calls the service during this, so it must be running.
    """
    project_id = int(project["id"])
    url = service.url.rstrip("/")
    done: list[str] = []
    backends = client.ml_backends(project_id)
    ours = [b for b in backends if str(b.get("url", "")).rstrip("/") == url or b.get("title") == BACKEND_TITLE]
    ours.sort(key=lambda b: str(b.get("url", "")).rstrip("/") != url)
    for double in ours[1:]:
        client.delete_ml_backend(int(double["id"]))
        done.append("removed a doubled model backend")
    fields = service.backend_fields(client.url)
    if ours:
        backend_id = int(ours[0]["id"])
        moved = str(ours[0].get("url", "")).rstrip("/") != url
        _reaching(service, lambda: client.update_ml_backend(backend_id, project=project_id, **fields))
        done.append(f"moved the model backend to {url}" if moved else f"renewed the model backend's log-in at {url}")
    else:
        created = _reaching(service, lambda: client.create_ml_backend(project_id, **fields))
        backend_id = int(created["id"])
        done.append(f"connected the model backend {url}")
    if client.project(project_id).get("model_version") != BACKEND_TITLE:
        client.update_project(project_id, model_version=BACKEND_TITLE, show_collab_predictions=True)
        done.append("chose its predictions for display")
    return backend_id, done


def ensure_storage(client: LabelStudioClient, project_id: int, folder: str) -> list[str]:
    """A local-files storage for ``folder``, without which Label Studio serves no file of it."""
    if any(
        str(storage.get("path", "")).rstrip("/") == folder.rstrip("/") for storage in client.local_storages(project_id)
    ):
        return [f"the folder {folder} is connected"]
    client.create_local_storage(project_id, folder, title="videos", use_blob_urls=True, recursive_scan=True)
    return [f"connected the folder {folder}"]


def find_project(client: LabelStudioClient, project: str) -> Json | None:
    """By number if it is one, else by title; a title that two projects share is refused."""
    project = project.strip()  # as Label Studio stores a title
    if project.isascii() and project.isdigit():
        try:
            return client.project(int(project))
        except LabelStudioError as error:
            if error.status != 404:
                raise
            raise LabelStudioError(f"There is no project {project} in Label Studio at {client.url}.", 404) from None
    found = client.projects(title=project)
    if len(found) > 1:
        numbers = ", ".join(str(p["id"]) for p in found)
        raise LabelStudioError(f'Several projects are called "{project}": name one by its number ({numbers}).', 400)
    return client.project(int(found[0]["id"])) if found else None


def _reaching(service: Service, call: Callable[[], Json]) -> Json:
    """Say in our words why Label Studio cannot use our service."""
    try:
        return call()
    except LabelStudioError as error:
        if error.status == 403:
            raise LabelStudioError(
                f"Label Studio refuses the address {service.url}: it does not call private addresses. Start it with "
                "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false.",
                403,
            ) from None
        if error.status == 400 and "health check failed" in str(error):
            raise LabelStudioError(
                f"Label Studio cannot reach {service.url}. Start the service (stvg serve) and give the address under "
                "which Label Studio's machine sees it (--backend-url).",
                400,
            ) from None
        if error.status == 400 and "401 Client Error" in str(error):
            raise LabelStudioError(
                f"The service at {service.url} does not accept the log-in: STVG_USERNAME and STVG_PASSWORD differ from "
                "those that stvg serve was started with.",
                400,
            ) from None
        raise


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _without_view(label_config: str) -> str:
    """What an interface holds inside its outer View: nothing in a fresh project."""
    text = label_config.strip().removeprefix("<View>").removesuffix("</View>").strip()
    return "" if text in ("<View/>", "<View />") else text
