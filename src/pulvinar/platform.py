"""The composition root: settings in, a platform out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from pulvinar.access.audit import MAIL_FAILED, note_incident
from pulvinar.access.known_actors import KnownActors
from pulvinar.access.mail import Postman, open_mailer
from pulvinar.access.sealing import Sealer, open_sealer
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.slots import parse_slots
from pulvinar.errors import Invalid, Unavailable
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.settings import Settings, load_settings, made_folder, read_secret
from pulvinar.storage.database import Database
from pulvinar.storage.external import ExternalSources, S3Access
from pulvinar.storage.staging_bucket import StagingBucket
from pulvinar.storage.store import Store, open_store
from pulvinar.storage.table_dump import is_unfinished

if TYPE_CHECKING:
    from pulvinar.access.external_identities import IdentityProvider
    from pulvinar.atlases.installed import OpenAtlas
    from pulvinar.catalogue.registration import Registrar
    from pulvinar.ingest.uploads.landing import Landing
    from pulvinar.solutions.submission import Means

_WITHOUT_ASSET_SEARCH = ("0001", "0002", "0003")


@dataclass(frozen=True)
class Platform:
    """Everything that the verbs need, made from one `Settings`."""

    settings: Settings
    database: Database
    store: Store
    actor: Actor = field(default=LOCAL_OWNER)
    sources: ExternalSources = field(default_factory=ExternalSources)

    @cached_property
    def known_actors(self) -> KnownActors:
        """Who signs in by which secret."""
        demanded = {"owners": lambda of: of.is_owner, "everybody": lambda _: True}
        return KnownActors(self.database, demanded=demanded.get(self.settings.second_factor_of))

    @cached_property
    def sealer(self) -> Sealer:
        """Seals small secrets for the database. Raises `Unavailable` without a key."""
        return open_sealer(self.settings.resolved_secret_key_file())

    @cached_property
    def postman(self) -> Postman:
        """Takes mail to people. Raises `Invalid` for an address of a mail server that is none."""
        password = read_secret(self.settings.smtp_password_file, "smtp_password_file")
        mailer = open_mailer(self.settings.smtp_url, self.settings.mail_from, password)
        return Postman(mailer, lambda why: note_incident(self.database, MAIL_FAILED, "mail", {"error": why}))

    @cached_property
    def identity_provider(self) -> IdentityProvider | None:
        """Where people may sign in, too. Raises `Invalid` for a secret that can't be read."""
        settings = self.settings
        if not settings.oidc_issuer:
            return None
        from pulvinar.access.open_id import OpenIdProvider

        secret = read_secret(settings.oidc_client_secret_file, "oidc_client_secret_file")
        return OpenIdProvider(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_name)

    @cached_property
    def registrar(self) -> Registrar | None:
        """Where DOIs are registered; None without an account. Raises `Invalid` for one without a prefix or password."""
        settings = self.settings
        if not settings.datacite_user:
            return None
        from pulvinar.catalogue.datacite_registrar import DataCite

        password = read_secret(settings.datacite_password_file, "datacite_password_file")
        if not (password and settings.datacite_prefix):
            raise Invalid(
                f"the DataCite account {settings.datacite_user} needs a password and a prefix",
                hint="set datacite_password_file and datacite_prefix",
            )
        return DataCite(settings.datacite_url, settings.datacite_user, password, settings.datacite_prefix)

    def atlas(self, name: str, version: str | None = None) -> OpenAtlas:
        """An atlas that the actor may see, the version installed last when none is named. Raises `NotFound`."""
        from pulvinar.atlases.installed import grids_in, open_atlas

        cache = grids_in(self.settings.resolved_scratch())
        return open_atlas(self.database, self.store, self.actor, name, cache=cache, version=version)

    def close(self) -> None:
        """Send what mail is left, and let go of the database."""
        # only what was used at all was made
        for made in ("postman", "known_actors"):
            if made in self.__dict__:
                self.__dict__[made].close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_platform(settings: Settings | None = None) -> Platform:
    """Open the platform that `settings` describe (the environment's when None), making and migrating what is new.

    Raises `Invalid` for a folder that can't be made, `Unavailable` when the database or the store doesn't answer.
    """
    settings = settings or load_settings()
    made_folder(settings.home, "home")
    made_folder(settings.resolved_scratch(), "scratch")
    database = Database(settings.resolved_database_url())
    if is_unfinished(database):
        database.close()
        raise Unavailable(
            "the database is being restored, and who was erased since the backup may still be in it",
            hint="pulvinar restore goes on where it was interrupted",
        )
    migrate(database)
    return Platform(settings, database, open_store_of(settings), sources=external_sources(settings))


def open_store_of(settings: Settings) -> Store:
    """The store that `settings` name. Raises `Unavailable` when it doesn't answer."""
    return open_store(
        settings.resolved_store_url(),
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,
    )


def solution_means(platform: Platform, actor: Actor | None = None) -> Means:
    """What solutions work with, for `actor` (the platform's own when None). Raises `Invalid` for what is no slot."""
    from pulvinar.solutions.solution import Places
    from pulvinar.solutions.submission import Means

    settings = platform.settings
    places = Places(
        settings.resolved_store_url(), _s3_access(settings), settings.external_sources, settings.external_private
    )
    return Means(
        platform.database,
        places,
        engine_options(settings),
        actor=actor or platform.actor,
        node=settings.node,
        job_limit=settings.job_limit,
    )


def landing_of(platform: Platform) -> Landing:
    """Where the uploads of `platform` land."""
    from pulvinar.ingest.uploads.landing import Landing

    settings = platform.settings
    return Landing(
        platform.database,
        settings.resolved_scratch() / "uploads",
        settings.node,
        quota_bytes=int(settings.upload_quota_gb * 1e9),
        keep_s=settings.upload_days * 86_400,
        bucket=_staging_bucket(settings),
    )


def _staging_bucket(settings: Settings) -> StagingBucket | None:
    if not settings.upload_bucket_url:
        return None
    keys = (settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_region)
    return StagingBucket(settings.upload_bucket_url, *keys)


def engine_options(settings: Settings) -> EngineOptions:
    """The engine that `settings` describe. Raises `Invalid` for slots that are none."""
    return EngineOptions(
        name=settings.engine,
        slots=parse_slots(settings.engine_slots),
        scratch=settings.resolved_scratch(),
        address=settings.engine_address,
        keys=settings.engine_keys,
        partition=settings.slurm_partition,
        account=settings.slurm_account,
        walltime=settings.slurm_walltime,
        nodes=settings.slurm_nodes,
    )


def _s3_access(settings: Settings) -> S3Access:
    return S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_region)


def external_sources(settings: Settings) -> ExternalSources:
    """What `settings` allow to be read where it is. S3 is reached as the store's is."""
    return ExternalSources(settings.external_sources, private=settings.external_private, s3=_s3_access(settings))


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the tables of `database` to the newest revision; costs one look when they are there already.

    An older `revision` can be named for tables that are new. Raises `Invalid` for one that this release doesn't know.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    wanted = _known_revision(ScriptDirectory.from_config(config), revision)
    with database.writing() as session:
        connection = session.connection()
        current = MigrationContext.configure(connection).get_current_revision()
        if current == wanted:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)
        if current in _WITHOUT_ASSET_SEARCH and revision == "head":
            # a migration makes tables; what they hold is made by the code of the day, once all of them are there
            from pulvinar.catalogue.search import reindex_all

            reindex_all(session)


def _known_revision(scripts: ScriptDirectory, revision: str) -> str:
    if revision == "head":
        return scripts.get_current_head() or ""
    try:
        found = scripts.get_revision(revision)
    except CommandError:
        found = None
    if found is None:
        raise Invalid(f"this release knows no tables {revision!r}", hint="use the release that wrote them, or a newer")
    return found.revision
