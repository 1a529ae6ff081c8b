"""A run over a source: its items are queued, workers started and watched, and what came of it is summed up."""
