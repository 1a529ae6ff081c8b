"""Alembic migrations; run by ``stvg db upgrade``."""
