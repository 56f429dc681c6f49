"""The processes that reading starts: a server that readers are forked from, which stays, and the readers."""

import psutil

Process = psutil.Process


def fork_servers(of=None):
    """The fork servers of a process, this one when None."""
    return [child for child in (of or Process()).children() if "fork_server" in " ".join(child.cmdline())]


def readers(of=None):
    """The reader processes of a process."""
    return [reader for server in fork_servers(of) for reader in server.children()]


def children():
    """The numbers of all processes that this one has started but the servers, which stay."""
    return {child.pid for child in Process().children(recursive=True)} - {server.pid for server in fork_servers()}
