"""Work in processes of its own, with limits of memory, of the processor's time and of seconds.

``child`` is the parent's side, ``serving`` the child's, ``wire`` what lies between; ``pool`` keeps processes for the
next piece of work. What the work is, others say: :mod:`stvg_core.video` decodes so, :mod:`backend.media` fetches so.
Nothing here needs more than the standard library, so that a child starts quickly.
"""
