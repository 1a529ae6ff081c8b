"""Which files are mutated, and which tests must notice.

Only fast tests: no real model, no video. What a slower test alone would notice counts as a survivor. On each mutant run
those of them that reach the mutated function.
"""

from __future__ import annotations

MODULES = (
    *(f"stvg_core/method/{name}.py" for name in ("look", "lra", "maps", "tracks", "interval", "join", "evidence")),
    "stvg_core/query.py", "stvg_core/mllm/prompts.py", "stvg_core/pipeline.py", "stvg_core/locating/attention.py",
)  # fmt: skip

TESTS = (
    *(
        f"tests/method/test_{name}.py"
        for name in (
            "by_hand", "straight", "coverage", "evidence", "interval", "join", "maps", "through", "tracks", "window",
            "assembling", "ties", "masks", "several", "snapping", "worth_choosing", "gradients",
        )
    ),
    *(
        f"tests/core/test_{name}.py"
        for name in (
            "pipeline_by_hand", "part_by_hand", "pipeline_several", "memory_by_hand", "attention_by_hand",
            "grounder_made", "query",
        )
    ),
    "tests/mllm/test_prompts_by_hand.py",
)  # fmt: skip
