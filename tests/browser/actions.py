"""How many actions does each correction take? One table for the browser tests and for docs/annotating.md.

An action is a click (also one of three times), a drag, a key, or a text typed with Enter. Submit is one.
"""

from __future__ import annotations

ACTIONS = {
    "move an end": 2,
    "move a box": 3,
    "delete a keyframe": 3,
    "ask again": 2,
    "draw and follow, box first": 4,
    "draw and follow, label first": 4,
    "delete the wrong tube, draw and follow": 5,
    "go to a frame on the timeline": 1,
    "go to a frame by its number": 2,
}
