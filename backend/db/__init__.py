"""What the service remembers, and the few questions asked of it."""
