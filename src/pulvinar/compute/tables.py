"""The tables of jobs: the queue, the ledger of blocks, what failed, what was said, and what was used.

`job.seq` orders the queue. `job.owner` is the runner that holds it, `heartbeat_s` when that last said that it lives.
`revision` rises with every change that a watcher is to hear of.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
)

from pulvinar.storage.database import UtcDateTime, metadata

_Counter = BigInteger().with_variant(Integer, "sqlite")

job = Table(
    "job",
    metadata,
    Column("seq", _Counter, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("actor_id", String(64), nullable=False),
    Column("actor", JSON, nullable=False),
    Column("project", String(64), nullable=False),
    Column("solution", String(64), nullable=False),
    Column("solution_version", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("wanted", String(16), nullable=False, default=""),
    Column("reason", Text, nullable=False),
    Column("into_dataset", String(64), nullable=False),
    Column("dataset_id", String(64), nullable=False, default=""),
    # what started it, so that nothing starts it twice: a rule and the message that it answers
    Column("cause", String(160), unique=True),
    Column("submitted", UtcDateTime, nullable=False),
    Column("started", UtcDateTime),
    Column("ended", UtcDateTime),
    Column("owner", String(255), nullable=False, default=""),
    Column("heartbeat_s", Float(53), nullable=False, default=0.0),
    Column("blocks", Integer, nullable=False),
    Column("done", Integer, nullable=False, default=0),
    Column("lost", Integer, nullable=False, default=0),
    Column("size_bytes", BigInteger, nullable=False, default=0),
    Column("left_s", Float(53)),
    Column("revision", BigInteger, nullable=False, default=1),
    Index("job_by_state", "state", "seq"),
    Index("job_by_actor", "actor_id", "seq"),
)

# A row: a block has ended for good, done or lost. `result` is what it gave, None of a lost one.
job_block = Table(
    "job_block",
    metadata,
    Column("job_id", String(64), ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("step", SmallInteger, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("lost", SmallInteger, nullable=False),
    Column("result", JSON),
    Column("wall_s", Float(53), nullable=False),
    Column("cpu_s", Float(53), nullable=False),
)

job_failure = Table(
    "job_failure",
    metadata,
    Column("seq", _Counter, primary_key=True, autoincrement=True),
    Column("job_id", String(64), ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("step", SmallInteger, nullable=False),
    Column("block", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("slot", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("job_failure_of_job", "job_id", "seq"),
)

job_log = Table(
    "job_log",
    metadata,
    Column("seq", _Counter, primary_key=True, autoincrement=True),
    Column("job_id", String(64), ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("text", Text, nullable=False),
    Index("job_log_of_job", "job_id", "seq"),
)

# What blocks took of slots within a minute (its number since 1970): slot seconds times cores, and times GPUs.
usage_job = Table(
    "usage_job",
    metadata,
    Column("minute", Integer, primary_key=True),
    Column("job_id", String(64), primary_key=True),
    Column("actor_id", String(64), nullable=False),
    Column("project", String(64), nullable=False),
    Column("solution", String(64), nullable=False),
    Column("blocks", Integer, nullable=False),
    Column("core_s", Float(53), nullable=False),
    Column("gpu_s", Float(53), nullable=False),
    # of core_s, what was spent on blocks that failed
    Column("failed_core_s", Float(53), nullable=False),
    Column("processor_s", Float(53), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

# What the slots of a runner's engine offered within a minute, and for how much of that work was waiting.
usage_offer = Table(
    "usage_offer",
    metadata,
    Column("minute", Integer, primary_key=True),
    Column("runner", String(255), primary_key=True),
    Column("engine", String(64), nullable=False),
    Column("core_s", Float(53), nullable=False),
    Column("gpu_s", Float(53), nullable=False),
    Column("waiting_core_s", Float(53), nullable=False),
)
