"""Which one-line faults in the method would no test notice? (``make mutants``)

mutmut makes the faults (an operator, a number, a word, an argument at a time) and runs the fast tests on each; what is
here chooses the tests, keeps the work in ``.mutants``, ends it in time, and compares what survives with
``survivors.toml``.
"""
