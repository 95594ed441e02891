"""What every room shares: paths, settings, errors, ids and secrets.

In: the environment (BATON_HOME and friends). Out: typed values.
It imports nothing else of Baton.
"""
