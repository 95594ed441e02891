"""A stand-in for the 23andMe API: OAuth and the resources that Loci reads, for people who do not exist.

In: browsers and API clients. Out: what the real service would answer, marked as synthetic everywhere.
It refuses to start outside development unless it is told that it may.
"""
