"""The tables of submissions that come over the network, private to this folder.

A part is a range of one file that one upload fills from its start; its `received` is what is durable, and is the only
truth about how far it is.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from pulvinar.storage.database import UtcDateTime, metadata

submission = Table(
    "submission",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("actor_id", String(64), nullable=False),
    # who acts when it is brought in, long after the request has ended
    Column("actor", JSON, nullable=False),
    Column("title", Text, nullable=False),
    # by which a client that starts anew finds what it has begun
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("file_count", Integer, nullable=False, default=0),
    Column("size_bytes", BigInteger, nullable=False, default=0),
    Column("received_bytes", BigInteger, nullable=False, default=0),
    Column("said", JSON, nullable=False, default=dict),
    Column("progress", Text, nullable=False, default=""),
    # why the last step ended badly: message and hint
    Column("trouble", JSON),
    Column("dataset_id", String(64), nullable=False, default=""),
    Column("version", Integer),
    Column("revision", BigInteger, nullable=False, default=1),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Index("submission_by_actor", "actor_id", "created"),
    Index("submission_by_state", "state", "created"),
)

submission_file = Table(
    "submission_file",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("submission_id", String(64), ForeignKey("submission.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False, default=False),
    Column("sha256", String(64)),
    Index("submission_file_of", "submission_id", "id"),
)

# files and folders by a key that names which some system takes for the same have in common
submission_name = Table(
    "submission_name",
    metadata,
    Column("submission_id", String(64), ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("spelled", Text, nullable=False),
    Column("file_id", String(64)),
)

upload_part = Table(
    "upload_part",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("file_id", String(64), ForeignKey("submission_file.id", ondelete="CASCADE"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, default=0),
    # whether it is one of several that are put together in the end
    Column("partial", Boolean, nullable=False, default=False),
    Index("upload_part_of", "file_id", "first", unique=True),
)

# A file that comes part by part into a bucket, before it lands; `complete` once the bucket has made one object of it.
bucket_upload = Table(
    "bucket_upload",
    metadata,
    Column("file_id", String(64), ForeignKey("submission_file.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(512), nullable=False),
    Column("upload", Text, nullable=False),
    Column("part_bytes", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False, default=False),
)

bucket_part = Table(
    "bucket_part",
    metadata,
    Column("file_id", String(64), ForeignKey("bucket_upload.file_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
)

upload_digest = Table(
    "upload_digest",
    metadata,
    Column("part_id", String(64), ForeignKey("upload_part.id", ondelete="CASCADE"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)
