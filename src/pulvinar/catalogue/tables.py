"""The catalogue's tables. `seq` numbers datasets in the order they were made: every listing walks its index."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pulvinar.storage.database import UtcDateTime, metadata

# SQLite counts up only a column that is exactly INTEGER.
_Counter = BigInteger().with_variant(Integer, "sqlite")
_TRANSFORM = text("kind = 'transform'")
_LOOKED_FOR = text("role IN ('node', 'cell')")
_BOXES = text("role = 'box'")

dataset = Table(
    "dataset",
    metadata,
    Column("seq", _Counter, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("species", String(32), nullable=False),
    Column("record", JSON, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index("dataset_by_species", "species", "seq"),
)

version = Table(
    "version",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("record", JSON, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("published", UtcDateTime),
    UniqueConstraint("dataset_id", "number"),
)

# Why a version's bytes are given out no more, and what replaced it: what its tombstone tells.
withdrawal = Table(
    "withdrawal",
    metadata,
    Column("version_id", String(64), ForeignKey("version.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("replaced_by", String(512), nullable=False),
    Column("withdrawn_by", String(64), nullable=False),
    Column("withdrawn", UtcDateTime, nullable=False),
)

# The DOI of a version and how far its registration is, see `catalogue/registration.py`. `due` is when the next try is
# made; null: nothing is to be done.
registration = Table(
    "registration",
    metadata,
    Column("version_id", String(64), ForeignKey("version.id", ondelete="CASCADE"), primary_key=True),
    Column("doi", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("trouble", Text, nullable=False),
    Column("due", UtcDateTime, index=True),
    Column("registered", UtcDateTime),
)

# Since when what is published is registered by itself under a prefix; what was published before only when asked.
registrar_account = Table(
    "registrar_account",
    metadata,
    Column("prefix", String(64), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

asset = Table(
    "asset",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("prefix", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("object_count", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("details", JSON, nullable=False),
    # the few of a kind that every question about spaces reads, among hundreds of thousands
    Index("asset_transforms", "id", sqlite_where=_TRANSFORM, postgresql_where=_TRANSFORM),
)

# An asset is in every version that carries it over, so that a new version copies no bytes.
version_asset = Table(
    "version_asset",
    metadata,
    Column("version_id", String(64), ForeignKey("version.id", ondelete="CASCADE"), primary_key=True),
    Column("asset_id", String(64), ForeignKey("asset.id"), primary_key=True),
    Index("version_asset_by_asset", "asset_id", "version_id"),
)

asset_object = Table(
    "asset_object",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("path", String(512), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)

# Bytes of an asset that others keep. What is in this platform's own store has no row here.
location = Table(
    "location",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("url", String(1024), primary_key=True),
    Column("ownership", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
)

subject = Table(
    "subject",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("species", String(32), primary_key=True),
    Column("details", JSON, nullable=False),
)

# Which animal or person a dataset is of: splits by animal and erasure start here.
dataset_subject = Table(
    "dataset_subject",
    metadata,
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    Column("subject_name", String(255), primary_key=True),
    Column("species", String(32), nullable=False),
    Index("dataset_by_subject", "subject_name", "species"),
)

# Where in an atlas an asset lies: the box of it in the atlas's space (micrometres), how that is known (measured,
# stated, name) and how sure. One row an atlas.
anchor = Table(
    "anchor",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("atlas", String(64), primary_key=True),
    Column("atlas_version", String(64), nullable=False),
    Column("space", String(64), nullable=False),
    Column("certainty", String(16), nullable=False),
    Column("error_um", Float(53)),
    *(Column(f"{axis}{end}_um", Float(53)) for end in (0, 1) for axis in "zyx"),
    Column("details", JSON, nullable=False),
    Column("computed", UtcDateTime, nullable=False),
    Index("anchor_by_atlas", "atlas", "asset_id"),
)

# How much of an asset lies in a region itself, without those below it. `position` numbers the ontology's regions so
# that a region and all below it are one range. Roles: share (of a volume's voxels), soma, end, length (micrometres of
# neurite), count (of points; "count:TYPE" of those of one type), parcel (of a time series or connectivity), named.
anchor_region = Table(
    "anchor_region",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("atlas", String(64), primary_key=True),
    Column("role", String(128), primary_key=True),
    Column("region_id", BigInteger, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("value", Float(53), nullable=False),
    Index("anchor_region_by_position", "atlas", "role", "position", "asset_id"),
)

# Which blocks of a space an asset has nodes, somata, ends or cells in, how many, and where in the block: see
# `catalogue/places.py`. `number` is the asset's in the search. Somata and ends are nodes too, so that a search looks
# only for nodes and cells: see `catalogue/nearby.py`. What has a box and no places, as a volume, is
# in a few large cubes: see `catalogue/boxes.py`.
place_block = Table(
    "place_block",
    metadata,
    Column("space", String(64), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("block", BigInteger, primary_key=True),
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("places", LargeBinary, nullable=False),
    Column("number", BigInteger),
    Index("place_block_by_number", "space", "block", "number", sqlite_where=_LOOKED_FOR, postgresql_where=_LOOKED_FOR),
    Index("place_block_by_asset", "asset_id", "space", "block"),
    # with the corners of the box, which are always 24 bytes
    Index(
        "place_block_box_by_number", "space", "block", "number", "places", sqlite_where=_BOXES, postgresql_where=_BOXES
    ),
)

# An asset in the search: `number` orders assets by when they came, and `facets` is what its row of words says in short.
asset_entry = Table(
    "asset_entry",
    metadata,
    Column("number", _Counter, primary_key=True, autoincrement=True),
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("facets", JSON, nullable=False),
)

# How an asset was made, and of which others: an input may be gone, its row here stays.
derivation = Table(
    "derivation",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", String(64), nullable=False, index=True),
    Column("details", JSON, nullable=False),
)

derivation_input = Table(
    "derivation_input",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("input_asset_id", String(64), nullable=False, index=True),
    Column("dataset_id", String(64), nullable=False),
)

# A person's data that only those see who administer them, until a person has reviewed them: one row an asset and what
# it was made from (itself for one brought in). Rows stay as evidence of who stated a basis and who let it go.
quarantine = Table(
    "quarantine",
    metadata,
    Column("asset_id", String(64), ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("origin", String(64), primary_key=True, index=True),
    Column("identifiers", String(16), nullable=False),
    Column("face", String(16), nullable=False),
    Column("held", Boolean, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("basis", String(32), nullable=False),
    Column("basis_by", String(64), nullable=False),
    Column("reviewed_by", String(64), nullable=False),
    Column("reviewed", UtcDateTime),
    Column("note", Text, nullable=False),
)

# What was erased by law. The subject is known by a digest of its name alone; `certificate` says what is gone.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("subject_sha256", String(64), nullable=False, index=True),
    Column("erased_by", String(64), nullable=False),
    Column("erased", UtcDateTime, nullable=False),
    Column("certificate", JSON, nullable=False),
)

# What is left in a version of an erased asset, or of its record ("record"): the leaf, by which the version's digest is
# still proved.
tombstone = Table(
    "tombstone",
    metadata,
    Column("version_id", String(64), ForeignKey("version.id", ondelete="CASCADE"), primary_key=True),
    Column("of", String(64), primary_key=True),
    Column("leaf", String(64), nullable=False),
    Column("erasure_id", String(64), ForeignKey("erasure.id"), nullable=False, index=True),
)

collection = Table(
    "collection",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Index("collection_by_change", "changed"),
)

collection_item = Table(
    "collection_item",
    metadata,
    Column("collection_id", String(64), ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index("collection_item_by_dataset", "dataset_id"),
)

collection_grant = Table(
    "collection_grant",
    metadata,
    Column("collection_id", String(64), ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("audience", String(80), primary_key=True),
    Column("level", SmallInteger, nullable=False),
    Column("given_by", String(64), nullable=False),
    Index("collection_grant_by_audience", "audience", "collection_id"),
)
