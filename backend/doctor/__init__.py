"""Is everything set up that the service needs? One small file per subject; ``checks.CHECKS`` is the list."""
