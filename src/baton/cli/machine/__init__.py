"""`baton up`, `down` and `doctor`: the machine itself, before there is anybody to speak HTTP with.

The only commands that reach past HTTP, to the supervisor's socket and the files of BATON_HOME.
"""
