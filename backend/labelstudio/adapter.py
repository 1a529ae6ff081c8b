"""For teams that run ``label-studio-ml start``: a model class that passes every call on to our service.

Subclass it in the script that ``label-studio-ml init`` is given, and say where the service is::

    from backend.labelstudio.adapter import TubeModel

    class Model(TubeModel):
        service_url = "http://127.0.0.1:9090"
        service_user, service_password = "label-studio", "..."

It works with PyPI's label-studio-ml 1.0.9 and with the 2.x line on GitHub, and needs nothing else but Python: 1.0.9
pins a Flask of its own, so our package is put on the path there without its dependencies.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

SETUP_TIMEOUT_S = 2.5
"""Label Studio waits 3 s for ``/setup``."""
PREDICT_TIMEOUT_S = 90.0
"""Label Studio waits 100 s for ``/predict``."""


class ServiceError(Exception):
    """Our service cannot be reached or refuses; label-studio-ml shows the text to whoever asked."""


class TubeModel(LabelStudioMLBase):  # type: ignore[misc]
    """Forwards predict, setup and events; holds no model.

    Attributes:
        service_url: where ``stvg serve`` listens.
        service_user, service_password: its log-in, where it has one.
    """

    service_url = "http://127.0.0.1:9090"
    service_user = ""
    service_password = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._version = ""
        super().__init__(*args, **kwargs)

    def setup(self) -> None:
        """Called by 2.x's constructor: its own version becomes the service's. 1.0.9 knows no project at that moment."""
        if self._project() and self.label_config:
            self._introduce(self._project())
            self.set("model_version", self._version)

    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> list[Any]:
        """One list of predictions per task, in order, as the service gives them: empty while a tube is being sought.

        A task that has a prediction of the service's model version gets none again: 1.0.9 reports a version of its own
        to Label Studio, which would ask and store for ever.
        """
        if not tasks:
            return []
        params = {"context": context or None}
        project = self._project() or next((str(t["project"]) for t in tasks if t.get("project")), None)
        if not self._version and project:
            self._introduce(project)
        body = {"tasks": tasks, "project": project, "label_config": self.label_config or "", "params": params}
        answer = self._call("/predict", body, PREDICT_TIMEOUT_S)
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(tasks):
            raise ServiceError(f"The service at {self.service_url} gave no list with one entry for each task.")
        if context:
            return results
        return [[] if self._has_one(task) else found for task, found in zip(tasks, results, strict=True)]

    def process_event(self, event: str, data: dict[str, Any], job_id: Any = None, additional_params: Any = None) -> Any:
        """1.0.9 hands every webhook to this method; all of them are passed on, not the four that its own would keep."""
        return self.fit(event, data)

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Pass a webhook on. 2.x calls ``fit(event, data)``, older code ``fit(tasks, event=..., data=...)``."""
        event = kwargs.get("event", args[0] if args else None)
        data = kwargs.get("data", args[1] if len(args) > 1 else None)
        if isinstance(event, str) and isinstance(data, dict):
            self._call("/webhook", {"action": event, **data}, SETUP_TIMEOUT_S)
        return {}

    def _project(self) -> str | None:
        return str(getattr(self, "project_id", "") or "") or None

    def _has_one(self, task: dict[str, Any]) -> bool:
        made = [p for p in task.get("predictions") or [] if isinstance(p, dict)]
        return bool(self._version) and any(p.get("model_version") == self._version for p in made)

    def _introduce(self, project: str | None) -> None:
        answer = self._call("/setup", {"project": project, "schema": self.label_config or ""}, SETUP_TIMEOUT_S)
        self._version = str(answer.get("model_version") or "")

    def _call(self, path: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        """POST to the service; its JSON object. Errors carry neither the log-in nor the body."""
        headers = {"Content-Type": "application/json"}
        if self.service_user:
            pair = f"{self.service_user}:{self.service_password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        url = self.service_url.rstrip("/") + path
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                answer = json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            error.close()
            raise ServiceError(f"The service at {self.service_url} answered {error.code} to {path}.") from None
        except (urllib.error.URLError, OSError):
            raise ServiceError(f"The service at {self.service_url} cannot be reached. Start it: stvg serve.") from None
        except ValueError:
            raise ServiceError(f"What answers at {self.service_url} is not the tube service.") from None
        return answer if isinstance(answer, dict) else {}
