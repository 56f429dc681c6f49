"""Records in the words of others: DataCite, BIDS, NWB, OME and openMINDS, to and fro, and the record itself.

Each module says in `KEEPS` which fields come back from what it writes; what another standard has no place for is lost
on the way, never invented.
"""

from pulvinar.catalogue.metadata_formats.formats import FORMATS, FormatName, MetadataFormat, read_document, write_text

__all__ = ["FORMATS", "FormatName", "MetadataFormat", "read_document", "write_text"]
