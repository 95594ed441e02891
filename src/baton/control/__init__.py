"""Control: the records of what should be, Heroku's Platform API, git over HTTP, and the order of effects.

In: API requests and pushes. Out: builds, releases, and orders to the rooms below. The database it keeps is
the truth; every operation is written down before it acts, and a start after a crash finishes it or undoes
it.
"""
