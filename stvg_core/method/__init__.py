"""The paper's method (arXiv 2509.15178), a file for each thing that it does, in this order.

    lra        a step on V that makes "yes" more likely
    look       prefill, ask, step, prefill with V, rows: one direction of time, both, and the second look
    maps       rows -> A_S and A_T: grounding token, relative attention, assembling
    tracks     maps -> scores of tracks, and which one it is
    interval   scores of slots -> from when to when
    join       maps and tracks -> the answer: choice, then refinement
    evidence   what is kept of all this

Models are behind :mod:`stvg_core.mllm`, candidate tracks behind :mod:`stvg_core.proposals`. ``evidence``, ``tracks``
and ``interval`` need no torch.
"""
