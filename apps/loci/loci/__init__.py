"""Loci: a person signs in with 23andMe and sees the chromosomes that their data lie on.

In: a browser's requests, and the answers of the 23andMe API. Out: pages; one encrypted row for each
signed-in person, and nothing else that is kept.
"""
