"""Does the service stay fast with 100,000 tasks? Run it as ``python -m benchmarks.scale``; docs/scale.md has figures.

Two checkouts can be measured in one run, in turn, on copies of the same database. So what is measured is asked from
outside only: HTTP, the command line, and the few names that ``benchmarks/scale/inside`` looks up.
"""
