"""hostname → socket: the front door, its certificates, its pages, its log.

In: a `Door` (which hosts belong to which app, which certificates there are). Out: nginx's document, the
sockets it listens on, the pages it shows, and Heroku's router lines made of what it logs.
"""
