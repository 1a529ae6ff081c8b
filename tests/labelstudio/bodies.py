"""Bodies as Label Studio 1.23.2 sends them, cut down to what is read."""

from __future__ import annotations

from typing import Any

from labeling_config import video_tube

CONFIG = video_tube()

# A team's own interface: other names, other order of tags, attributes in another case.
RENAMED_CONFIG = """
<View>
  <VideoRectangle name="who" toName="clip"/>
  <Video name="clip" value="$movie" framerate="$rate"/>
  <Labels name="kind" toName="clip"><Label value="Person"/><Label value="Thing"/></Labels>
  <TimelineLabels name="moment" toName="clip"><Label value="Seen"/></TimelineLabels>
  <Choices name="tone" toName="clip"><Choice value="warm"/></Choices>
  <Choices name="judged" toName="clip"><Choice value="correct"/><Choice value="wrong"/></Choices>
  <TextArea name="notes" toName="clip"/>
  <TextArea name="again" toName="clip" smart="true"/>
  <Text name="shown" value="$sentence"/>
</View>
"""


def keyframe(frame: int, x: float, *, enabled: bool = True, **changes: Any) -> dict[str, Any]:
    """A box 20 wide and 30 high at (x, 40), in percent."""
    whole = {"frame": frame, "enabled": enabled, "rotation": 0, "x": x, "y": 40, "width": 20, "height": 30, "time": 0.0}
    return whole | changes


def region(*sequence: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A drawn box over time, as an annotation holds it."""
    value = {"framesCount": 50, "duration": 2.0, "labels": ["Target"], "sequence": list(sequence)}
    whole = {"id": "r1", "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}
    return whole | {"origin": "manual"} | changes


def task(number: int = 1, **changes: Any) -> dict[str, Any]:
    data = {"video": f"/data/local-files/?d=clips/{number}.mp4", "query": "the red square", "fps": 25}
    return {"id": number, "data": data, "project": 7, "annotations": [], "predictions": []} | changes


def predict_body(*tasks: dict[str, Any], context: Any = None) -> dict[str, Any]:
    return {
        "tasks": list(tasks) or [task()],
        "project": "7.1795344595",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": context},
    }


def setup_body() -> dict[str, Any]:
    return {
        "project": "7.1795344595",
        "schema": CONFIG,
        "hostname": "http://localhost:8080",
        "access_token": "c0ffee" * 6,
        "extra_params": None,
    }


def annotation(number: int = 8, task_id: int = 13, **changes: Any) -> dict[str, Any]:
    whole = {
        "id": number,
        "result": [region(keyframe(6, 10), keyframe(26, 50), keyframe(40, 60, enabled=False))],
        "was_cancelled": False,
        "created_at": "2026-11-22T11:12:33.335749Z",
        "updated_at": "2026-11-22T11:12:33.335779Z",
        "lead_time": 9.332,
        "task": task_id,
        "project": 7,
        "completed_by": 1,
        "parent_prediction": 61,
    }
    return whole | changes


def event(action: str, **fields: Any) -> dict[str, Any]:
    return {"action": action, "project": {"id": 7, "title": "clips", "label_config": CONFIG}, **fields}
