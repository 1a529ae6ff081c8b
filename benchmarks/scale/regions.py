"""Label Studio's side: the labelling interface, and tubes as lists of regions."""

from __future__ import annotations

from typing import Any

LABEL_CONFIG = """<View>
  <Header value="Find: $query"/>
  <Labels name="label" toName="video" allowEmpty="true" smart="true">
    <Label value="Target" background="#d1345b"/><Label value="Other" background="#6c757d"/>
  </Labels>
  <TimelineLabels name="span" toName="video"><Label value="Match" background="#1f78b4"/></TimelineLabels>
  <Choices name="verdict" toName="video" choice="single" showInline="true">
    <Choice value="correct"/><Choice value="wrong object"/><Choice value="wrong time"/><Choice value="absent"/>
  </Choices>
  <TextArea name="ask" toName="video" smart="true" maxSubmissions="5" rows="1" placeholder="another sentence"/>
  <Video name="video" value="$video" frameRate="$fps" height="320" timelineHeight="90" muted="true"/>
  <VideoRectangle name="box" toName="video"/>
</View>"""
FURTHER = "the dog beside the door"
_FPS, _FRAMES = 25, 150


def tube(region_id: str, keyframes: list[list[float]], label: str = "Target") -> list[dict[str, Any]]:
    """The boxes of a tube and its range on the timeline."""
    boxes = _boxes(region_id, keyframes, label)
    ranges = [{"start": int(keyframes[0][0]) + 1, "end": int(keyframes[-1][0]) + 1}]
    when = {"ranges": ranges, "timelinelabels": ["Match"]}
    return [boxes, _region(f"{region_id}-span", "span", "timelinelabels", when)]


def further(region_id: str, keyframes: list[list[float]]) -> list[dict[str, Any]]:
    """An object with a sentence of its own, which stands in its note."""
    return [_boxes(region_id, keyframes, "Other") | {"meta": {"text": [FURTHER]}}]


def _boxes(region_id: str, keyframes: list[list[float]], label: str) -> dict[str, Any]:
    sequence = [_keyframe(row, last=row is keyframes[-1]) for row in keyframes]
    value = {"framesCount": _FRAMES, "duration": _FRAMES / _FPS, "labels": [label], "sequence": sequence}
    return _region(region_id, "box", "videorectangle", value)


def _region(region_id: str, name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": region_id, "from_name": name, "to_name": "video", "type": kind, "origin": "prediction", "score": 0.5,
        "value": value,
    }  # fmt: skip


def _keyframe(row: list[float], *, last: bool) -> dict[str, Any]:
    frame, x1, y1, x2, y2 = row
    return {
        "frame": int(frame) + 1, "enabled": not last, "rotation": 0, "x": round(x1 * 100, 4), "y": round(y1 * 100, 4),
        "width": round((x2 - x1) * 100, 4), "height": round((y2 - y1) * 100, 4), "time": round((frame + 1) / _FPS, 6),
    }  # fmt: skip
