"""Readers and writers of the public datasets' formats."""
