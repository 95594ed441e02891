"""Programs that measure Baton and compare it with the usual ways, side by side in one run.

In: a machine of their own that they start on loopback, and the sample trees of `benchmarks.apps`.
Out: a table, a verdict against the promised figure, and exit code 1 when a promise is broken.
"""
