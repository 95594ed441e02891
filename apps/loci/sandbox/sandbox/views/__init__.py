"""The sandbox's addresses. In: requests. Out: pages for people, JSON for programs."""
