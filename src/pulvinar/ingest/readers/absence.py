"""What to say of pieces that a file should have and hasn't: left out because they are empty, or lost?"""

from __future__ import annotations

from pulvinar.ingest.reader import Finding, Options, Severity


def missing_pieces(what: str, read_as: str, options: Options, shown: str = "") -> Finding:
    """A question about `what` is missing ("3 of its 8 chunks are not stored"); a note where `--sparse` answers it.

    `read_as` says what is read in their place ("fill"), `shown` names some (" (c/0/1)").
    """
    if options.sparse:
        return Finding(Severity.NOTE, f"{what}: they read as {read_as}{shown}", "--sparse")
    text = f"{what}, and nothing shows that they are empty and not lost{shown}"
    return Finding(Severity.QUESTION, text, "--sparse")
