"""Corrected labels as datasets: one file per format over one iterator of records."""
