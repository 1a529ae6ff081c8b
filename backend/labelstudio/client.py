"""The few calls of Label Studio's API that the project makes. What is each called there?

``label-studio-sdk`` would bring 75 packages for these twenty calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

import httpx

from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import validate_prediction
from backend.labelstudio.transport import NotLabelStudio, Transport

Json = dict[str, Any]

PAGE = 100
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class LabelStudioClient:
    """Label Studio as plain functions; every one raises LabelStudioError. Use it as a context manager, or close it."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        pause: float = 0.5,
    ) -> None:
        self._api = Transport(url, token, timeout=timeout, transport=transport, pause=pause)
        self.url = self._api.url

    def __enter__(self) -> LabelStudioClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._api.close()

    @property
    def token_is_personal(self) -> bool:
        """A personal access token buys short-lived ones; a legacy token goes out as it is."""
        return self._api.token_is_personal

    def auth_headers(self) -> dict[str, str]:
        """What signs a request to Label Studio's own origin; never send it anywhere else."""
        return self._api.auth_headers()

    def version(self) -> str:
        """Label Studio's release, "1.23.2". Also answers without a valid token: use ``whoami`` to test one."""
        answer = self._api.request("GET", "/api/version", expect=dict)
        return str(answer.get("release", "unknown"))

    def whoami(self) -> Json:
        """The user whose token this is."""
        return self._object("GET", "/api/current-user/whoami")

    def users(self) -> list[Json]:
        """Everybody in the organisation of this token's user: ``id``, ``first_name``, ``last_name``, ``email``."""
        return self._list("GET", "/api/users/")

    # Projects

    def projects(self, title: str | None = None) -> list[Json]:
        """All projects, or those with exactly this title, oldest first."""
        found: list[Json] = []
        page = 1
        while True:
            params = {"page": page, "page_size": PAGE} | ({"title": title} if title else {})
            answer = self._object("GET", "/api/projects/", params=params)
            found += answer.get("results", [])
            if not answer.get("next"):
                break
            page += 1
        return sorted((p for p in found if title is None or p.get("title") == title), key=lambda p: int(p["id"]))

    def project(self, project_id: int) -> Json:
        return self._object("GET", f"/api/projects/{project_id}/")

    def create_project(self, title: str, label_config: str, **fields: Any) -> Json:
        return self._object("POST", "/api/projects/", {"title": title, "label_config": label_config, **fields})

    def update_project(self, project_id: int, **fields: Any) -> Json:
        return self._object("PATCH", f"/api/projects/{project_id}/", fields)

    def delete_project(self, project_id: int) -> None:
        self._api.request("DELETE", f"/api/projects/{project_id}/")

    def validate_config(self, label_config: str, project_id: int | None = None) -> None:
        """Ask whether Label Studio accepts an interface, and does so beside the labels that a project has."""
        where = "/api/projects/validate/" if project_id is None else f"/api/projects/{project_id}/validate/"
        self._api.request("POST", where, body={"label_config": label_config})

    # Tasks

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> Json:
        """Import tasks (with predictions and annotations where they have some); counts and new ids."""
        params = {"return_task_ids": "true"}
        return self._object("POST", f"/api/projects/{project_id}/import", list(tasks), params=params, timeout=300.0)

    def tasks(self, project_id: int, *, fields: str = "all", after: int = 0) -> Iterator[Json]:
        """Every task of a project by id, or those with a greater one than ``after``.

        ``fields="all"`` brings annotations and predictions, ``"task_only"`` neither. The data are as they are stored:
        what is written back must not turn storage addresses into Label Studio's own.
        """
        for page in self.task_pages(project_id, fields=fields, after=after):
            yield from page

    def task_pages(
        self, project_id: int, *, changed_since: datetime | None = None, fields: str = "all", after: int = 0
    ) -> Iterator[list[Json]]:
        """The same, some at a time.

        Each page is asked for by the last id of the one before: what is deleted meanwhile moves no other task.

        Args:
            changed_since: only tasks that changed after this moment of Label Studio's clock. Saving, skipping or
                deleting an annotation changes its task, as does a new prediction.
        """
        last = after
        while True:
            filters = [_filter("id", "Number", last)]
            if changed_since is not None:
                filters.append(_filter("updated_at", "Datetime", changed_since.astimezone(UTC).strftime(_TIME)))
            query = {"filters": {"conjunction": "and", "items": filters}}
            found, left = self._task_list(project_id, query, fields=fields, page_size=PAGE)
            page = sorted(found, key=lambda one: int(one["id"]))
            if not page:
                return
            if int(page[0]["id"]) <= last:
                raise NotLabelStudio(
                    f"Label Studio at {self.url} does not filter its list of tasks: is it older than 1.20?"
                )
            yield page
            if len(page) >= left:  # Label Studio may have a smaller limit for a page than was asked for
                return
            last = int(page[-1]["id"])

    def newest_task(self, project_id: int) -> Json | None:
        """The task that changed last, None in an empty project."""
        found, _ = self._task_list(project_id, {"ordering": ["-tasks:updated_at"]}, fields="task_only", page_size=1)
        return found[0] if found else None

    def _task_list(self, project_id: int, query: Json, *, fields: str, page_size: int) -> tuple[list[Json], int]:
        """One page of the tasks that a query finds, and how many it finds in all."""
        params = {
            "project": project_id, "page": 1, "page_size": page_size, "fields": fields, "resolve_uri": "false",
            "query": json.dumps(query),
        }  # fmt: skip
        answer = self._object("GET", "/api/tasks/", params=params)
        tasks, total = answer.get("tasks"), answer.get("total")
        if not isinstance(tasks, list) or not isinstance(total, int):
            raise NotLabelStudio(f"What answers at {self.url} is not Label Studio: a list of tasks has no tasks.")
        return tasks, total

    def task(self, task_id: int) -> Json:
        """A task with its data as they are stored: by default Label Studio turns storage addresses into its own."""
        return self._object("GET", f"/api/tasks/{task_id}/", params={"resolve_uri": "false"})

    def patch_task_data(self, task_id: int, data: Mapping[str, Any]) -> Json:
        """Replace a task's data. Label Studio does not merge: pass all of it."""
        return self._object("PATCH", f"/api/tasks/{task_id}/", {"data": dict(data)})

    # Data Manager tabs

    def views(self, project_id: int) -> list[Json]:
        """The tabs of a project's Data Manager, as everybody in the project sees them."""
        return self._list("GET", "/api/dm/views/", params={"project": project_id})

    def create_view(self, project_id: int, data: Json) -> Json:
        return self._object("POST", "/api/dm/views/", {"project": project_id, "data": data})

    def update_view(self, view_id: int, project_id: int, data: Json) -> Json:
        """Replace a tab's title, columns, filters and order."""
        return self._object("PATCH", f"/api/dm/views/{view_id}/", {"project": project_id, "data": data})

    # Predictions

    def predictions(self, task_id: int) -> list[Json]:
        return self._list("GET", "/api/predictions/", params={"task": task_id})

    def create_prediction(self, payload: Json, config: LabelConfig) -> Json:
        """Push a prediction, checked against the project's interface first (Label Studio checks nothing)."""
        validate_prediction(payload, config)
        return self._object("POST", "/api/predictions/", payload)

    def delete_prediction(self, prediction_id: int) -> None:
        self._api.request("DELETE", f"/api/predictions/{prediction_id}/")

    # Annotations

    def annotations(self, task_id: int) -> list[Json]:
        return self._list("GET", f"/api/tasks/{task_id}/annotations/")

    def create_annotation(self, task_id: int, result: Sequence[Json], **fields: Any) -> Json:
        """Annotate as this token's user; ``was_cancelled=True`` skips the task."""
        return self._object("POST", f"/api/tasks/{task_id}/annotations/", {"result": list(result), **fields})

    def update_annotation(self, annotation_id: int, result: Sequence[Json], **fields: Any) -> Json:
        return self._object("PATCH", f"/api/annotations/{annotation_id}/", {"result": list(result), **fields})

    def delete_annotation(self, annotation_id: int) -> None:
        self._api.request("DELETE", f"/api/annotations/{annotation_id}/")

    # Model backends; Label Studio calls the backend's /health and /setup inside each of these

    def ml_backends(self, project_id: int) -> list[Json]:
        """As Label Studio last saw them: it calls none of them for the list."""
        return self._list("GET", "/api/ml", params={"project": project_id})

    def ml_backend(self, backend_id: int) -> Json:
        """One, called just now: ``state`` is CO, DI where it is not reached, or ER with an ``error_message``."""
        return self._object("GET", f"/api/ml/{backend_id}")

    def create_ml_backend(self, project_id: int, url: str, **fields: Any) -> Json:
        return self._object("POST", "/api/ml", {"project": project_id, "url": url, **fields})

    def update_ml_backend(self, backend_id: int, **fields: Any) -> Json:
        return self._object("PATCH", f"/api/ml/{backend_id}", fields)

    def delete_ml_backend(self, backend_id: int) -> None:
        """Remove a backend. The webhook that Label Studio made for it stays."""
        self._api.request("DELETE", f"/api/ml/{backend_id}")

    def ask_from_page(self, backend_id: int, task_id: int, context: Json) -> Json:
        """What the page sends when an annotator asks with Auto-Annotation on."""
        body = {"task": task_id, "context": context}
        return self._object("POST", f"/api/ml/{backend_id}/interactive-annotating", body, timeout=120.0)

    def retrieve_predictions(self, project_id: int, task_ids: Sequence[int] | None = None) -> Json:
        """The Data Manager's "Retrieve Predictions" for some tasks, or all: one /predict call with all of them."""
        chosen = {"all": True, "excluded": []} if task_ids is None else {"all": False, "included": list(task_ids)}
        params = {"id": "retrieve_tasks_predictions", "project": project_id}
        return self._object("POST", "/api/dm/actions", {"selectedItems": chosen}, params=params, timeout=120.0)

    # Webhooks

    def webhooks(self, project_id: int) -> list[Json]:
        return self._list("GET", "/api/webhooks/", params={"project": project_id})

    def create_webhook(self, project_id: int, url: str, **fields: Any) -> Json:
        return self._object("POST", "/api/webhooks/", {"project": project_id, "url": url, **fields})

    def update_webhook(self, webhook_id: int, **fields: Any) -> Json:
        return self._object("PATCH", f"/api/webhooks/{webhook_id}/", fields)

    def delete_webhook(self, webhook_id: int) -> None:
        self._api.request("DELETE", f"/api/webhooks/{webhook_id}/")

    # Storage and files

    def local_storages(self, project_id: int) -> list[Json]:
        return self._list("GET", "/api/storages/localfiles/", params={"project": project_id})

    def create_local_storage(self, project_id: int, path: str, **fields: Any) -> Json:
        """Let a project show files of a folder below Label Studio's document root."""
        return self._object("POST", "/api/storages/localfiles/", {"project": project_id, "path": path, **fields})

    def sync_local_storage(self, storage_id: int) -> Json:
        """Make a task of every file that matches the storage's filter and has none yet."""
        return self._object("POST", f"/api/storages/localfiles/{storage_id}/sync", {}, timeout=300.0)

    def export(self, project_id: int, *, interpolate: bool = False) -> list[Json]:
        """Label Studio's own JSON export; ``interpolate`` fills in every frame between keyframes."""
        params = {"exportType": "JSON", "download_all_tasks": "true"}
        if interpolate:
            params["interpolate_key_frames"] = "true"
        return self._list("GET", f"/api/projects/{project_id}/export", params=params, timeout=300.0)

    def download(self, url: str, file: BinaryIO, *, max_bytes: int | None = None) -> int:
        """Stream one of Label Studio's own files (``/data/upload/...``, ``/data/local-files/...``) into ``file``."""
        return self._api.download(url, file, max_bytes=max_bytes)

    def _object(self, method: str, path: str, body: Any = None, **options: Any) -> Json:
        answer: Json = self._api.request(method, path, body=body, expect=dict, **options)
        return answer

    def _list(self, method: str, path: str, **options: Any) -> list[Json]:
        answer: list[Json] = self._api.request(method, path, expect=list, **options)
        return answer


def _filter(column: str, kind: str, value: Any) -> Json:
    """Of the Data Manager: a column of the tasks is greater than a value."""
    return {"filter": f"filter:tasks:{column}", "operator": "greater", "type": kind, "value": value}
