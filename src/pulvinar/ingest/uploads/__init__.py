"""Files that come over the network: received part by part into a folder of their own, looked at, and brought in.

A submission is a set of files of one person. Its bytes land at their places in the files that an ingest reads, so that
nothing lies twice on a disk; what was acknowledged survives whatever ends the server.
"""
