"""The pages.

In: requests, and a ``Visit`` where one has to be signed in. Out: responses; failures have their own pages.
"""
