"""``stvg jobs``: what is queued, running, done or failed, and why; retry, cancel; what Label Studio was told, and said.

``listing`` shows jobs, ``changing`` retries and cancels them; ``deliveries`` and ``events`` are the other rows of work.
"""

from backend.cli.jobs import changing, deliveries, events, reasons
from backend.cli.jobs.listing import command

command.add_command(reasons.reasons)
command.add_command(changing.retry)
command.add_command(changing.cancel)
command.add_command(deliveries.deliveries)
command.add_command(events.events)

__all__ = ["command"]
