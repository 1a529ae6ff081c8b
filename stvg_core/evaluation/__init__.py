"""How good are predictions? Public protocols over datasets' truths, summed up in a table, JSON and pictures."""
