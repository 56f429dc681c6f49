"""One frozen settings object: arguments over environment over TOML file over defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pulvinar.errors import Invalid

PREFIX = "PULVINAR_"
_MOST_WORKERS = 4


class Settings(BaseModel):
    """Every setting; each can be given as an argument, as `PULVINAR_<NAME>`, or in the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=lambda: user_data_path("pulvinar"),
        description="Folder of the embedded database and store, and of scratch files.",
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy address of the catalogue (sqlite:/// or postgresql+psycopg://); "
        "empty: a SQLite file in home.",
    )
    store_url: str = Field(
        "", description="Where bytes lie: a file:// or s3:// address; empty: the folder 'store' in home."
    )
    s3_endpoint: str = Field("", description="Address of the S3 server, when it is not Amazon's.")
    s3_access_key: str = Field("", description="Access key of the S3 store.", repr=False)
    s3_secret_key: str = Field("", description="Secret key of the S3 store.", repr=False)
    s3_region: str = Field("us-east-1", description="Region of the S3 store.")
    scratch: Path | None = Field(
        None, description="Folder for temporary files of an ingest; empty: the folder 'scratch' in home."
    )
    node: str = Field(
        "local",
        pattern="^[a-z][a-z0-9]{1,15}$",
        description="This node's name: the first part of every identifier it makes.",
    )
    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(8765, ge=0, le=65535, description="Port of the web server; 0 takes a free one.")
    workers: int = Field(
        0, ge=0, le=64, description="Processes of the web server that answer; 0: one a processor core, at most four."
    )
    threads: int = Field(0, ge=0, description="Threads that encode chunks; 0: one a processor core.")
    reader_memory_mb: int = Field(4096, ge=256, description="Memory that one reader process may take, in MiB.")
    reader_cpu_s: int = Field(86_400, ge=1, description="CPU seconds that one reader process may take.")
    reader_budget_gb: float = Field(
        4096.0, gt=0, description="Largest declared size of one file's data that a reader accepts, in GB."
    )
    cutout_budget_mb: int = Field(512, ge=1, description="Largest cut-out that the API answers, in MB.")
    measure_budget_mb: int = Field(
        128, ge=1, description="So much of a volume is read for one measurement of a line, a box or regions, in MB."
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may read this server from elsewhere, separated by blanks; * is any. "
        "Empty: only its own pages.",
    )
    embed_origins: str = Field(
        "",
        pattern=r"^(https?://[A-Za-z0-9.*:-]+( https?://[A-Za-z0-9.*:-]+)*)?$",
        description="Origins whose pages may show saved views in a frame, separated by blanks, as "
        "https://lab.university.edu. Empty: only this server's own pages.",
    )
    external_sources: str = Field(
        "",
        description="Addresses below which volumes that others own may be indexed and served in place, separated by "
        "blanks: file:///folder, s3://bucket/prefix, https://host/path. Empty: none.",
    )
    external_private: bool = Field(
        False, description="Whether external sources may lie on web servers of private networks, or of this machine."
    )
    engine: str = Field(
        "local",
        description="What runs jobs: here (this process, for debugging), local (Dask on this machine), slurm, dask (a "
        "scheduler that runs already, as on Kubernetes), or the name of a plugin.",
    )
    engine_slots: str = Field(
        "",
        description="Places for blocks, one at a time each: name:COUNTxMEMORY, as 2x4GB large:1x16GB+4cpu "
        "gpu:1x8GB+1gpu; on slurm, those of one node. Empty: one a core of this machine.",
    )
    engine_address: str = Field("", description="Of the engine dask: the scheduler, as tls://host:8786.")
    engine_keys: Path | None = Field(
        None, description="Of the engine dask: the folder of dask-cert.pem and dask-key.pem; empty: no encryption."
    )
    slurm_partition: str = Field("", description="Of the engine slurm: the partition of its pilots.")
    slurm_account: str = Field("", description="Of the engine slurm: the account of its pilots.")
    slurm_walltime: str = Field("24:00:00", description="Of the engine slurm: how long a pilot may run.")
    slurm_nodes: int = Field(1, ge=1, description="Of the engine slurm: how many pilots, one a node.")
    runner_jobs: int = Field(32, ge=1, description="How many jobs one runner has under way.")
    job_limit: int = Field(0, ge=0, description="How many jobs a user may have that have not ended; 0: no limit.")
    user_cores: int = Field(0, ge=0, description="How many cores one user's jobs may hold at a time; 0: all.")
    project_cores: int = Field(0, ge=0, description="How many cores one project's jobs may hold at a time; 0: all.")
    requests_at_once: int = Field(
        4096,
        ge=1,
        description="How many requests one server process has under way; more get 503 with Retry-After.",
    )
    kept_answers_mb: int = Field(
        64,
        ge=0,
        description="Memory of one server process for pages that visitors ask for again while nothing has changed, in "
        "MB; 0: every page is made anew.",
    )
    costly_per_minute: int = Field(
        240,
        ge=0,
        description="How many searches, cut-outs, matrices and exports one person, or one address of visitors, may ask "
        "for within a minute; 0: no limit.",
    )
    upload_quota_gb: float = Field(
        1000.0, ge=0, description="How many GB a user may have handed in that are not brought in yet; 0: no limit."
    )
    upload_bucket_url: str = Field(
        "",
        pattern=r"^(s3://[^?#\s]+)?$",
        description="Bucket through which large files may be handed in by S3's multipart uploads, s3://bucket/prefix, "
        "reached as the store's is; empty: by tus alone. A rule of the bucket should end unfinished uploads.",
    )
    upload_days: float = Field(7.0, gt=0, description="How many days an upload is kept that nobody goes on with.")
    erasure_term_days: int = Field(
        30, ge=1, description="Within how many days a person's data are erased once that was asked for."
    )
    public: bool = Field(
        False,
        description="Whether whoever comes is a visitor, who sees what is published and no more; "
        "without it, whoever reaches the server acts as its owner.",
    )

    address: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s]+/?)?$",
        description="Address under which people reach the server, as https://brains.institute.org: what links in mails "
        "begin with. Under https, who is signed in is kept in a cookie that no other way can read.",
    )
    secret_key_file: Path | None = Field(
        None,
        description="File of the key that seals small secrets in the database, the same for every server of it; made "
        "where there is none. Empty: the file 'secret.key' in home.",
    )
    second_factor_of: Literal["nobody", "owners", "everybody"] = Field(
        "nobody",
        description="Of whom two-factor sign-in is demanded: until it is on, they may do nothing but switch it on, nor "
        "may their tokens. Who has no password here signs in elsewhere, and has the factors of that.",
    )
    sign_in_days: int = Field(14, ge=1, le=90, description="How long a browser stays signed in at most, in days.")
    smtp_url: str = Field(
        "",
        description="Server that mail is handed to, as smtp://user@mail.institute.org:587 or smtps://; empty: mail is "
        "printed on the console.",
        repr=False,
    )
    smtp_password_file: Path | None = Field(None, description="File of the password for the mail server.")
    mail_from: str = Field("", description="Sender of mail, as Pulvinar <pulvinar@institute.org>.")
    oidc_issuer: str = Field(
        "", description="OpenID Connect provider at which people may sign in, too: its issuer, an https:// address."
    )
    oidc_name: str = Field("", description="What people call that provider; empty: its host.")
    oidc_client_id: str = Field("", description="Name of this server at the provider.")
    oidc_client_secret_file: Path | None = Field(None, description="File of this server's secret at the provider.")
    oidc_new_accounts: bool = Field(
        True, description="Whether who signs in at the provider, and is new here, may make an account."
    )

    datacite_user: str = Field(
        "",
        description="Account (repository) at DataCite, by which versions that are published from then on get a DOI; "
        "empty: they get none.",
    )
    datacite_password_file: Path | None = Field(None, description="File of the password of that account.")
    datacite_prefix: str = Field("", pattern=r"^(10\.\d{4,9})?$", description="Prefix of its DOIs, as 10.12345.")
    datacite_url: str = Field(
        "https://api.datacite.org",
        pattern=r"^https?://[^?#\s]+$",
        description="REST API of DataCite; https://api.test.datacite.org registers for trying only.",
    )

    def resolved_database_url(self) -> str:
        """`database_url`, or the SQLite file in `home`."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'catalogue.sqlite'}"

    def resolved_store_url(self) -> str:
        """`store_url`, or the folder `store` in `home`."""
        return self.store_url or (self.home / "store").absolute().as_uri()

    def resolved_workers(self) -> int:
        """`workers`, or one a core that this process may use, at most four: each takes some 200 MB."""
        return self.workers or min(_MOST_WORKERS, len(os.sched_getaffinity(0)))

    def resolved_secret_key_file(self) -> Path:
        """`secret_key_file`, or the file `secret.key` in `home`."""
        return (self.secret_key_file or self.home / "secret.key").absolute()

    def resolved_address(self) -> str:
        """`address`, or that of the web server, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.address.rstrip("/") or f"http://{host}:{self.port}"

    def resolved_scratch(self) -> Path:
        """`scratch`, or the folder `scratch` in `home`; absolute, for the reader process works elsewhere."""
        return (self.scratch or self.home / "scratch").absolute()


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """The settings in force: `arguments` over `environment` over the TOML `file` over the defaults.

    `file` may also be named by `PULVINAR_CONFIG`. Raises `Invalid` for an unknown key, a bad value, or a file that
    can't be read.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(f"{PREFIX}CONFIG")
    file = file or (Path(named) if named else None)
    values: dict[str, Any] = _from_toml(file) if file else {}
    values.update(_from_environment(environment))
    values.update({key: value for key, value in arguments.items() if value is not None})
    try:
        return Settings(**values)
    except ValidationError as error:
        raise Invalid(_explain(error), hint="see the list of settings: pulvinar settings") from error


def made_folder(path: Path, setting: str) -> Path:
    """The folder `path`, made when it isn't there. Raises `Invalid`, naming the setting, where none can be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        name = f"{setting!r} ({PREFIX}{setting.upper()})"
        raise Invalid(
            f"setting {name} leads to {path}, where no folder can be: {error.strerror}",
            hint="choose a folder that you may write in",
        ) from error
    return path


def read_secret(file: Path | None, setting: str) -> str:
    """The secret in a file; empty where none is named. Raises `Invalid`, naming the setting, for what can't be read."""
    try:
        return file.read_text("utf-8").strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"setting {setting!r} leads to {file}, which can't be read: {error}") from error


def _from_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"settings file {file} can't be read: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    # PULVINAR_SAMPLES names test data for developers and CONFIG the file itself; neither is a setting.
    skipped = {f"{PREFIX}CONFIG", f"{PREFIX}SAMPLES"}
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and key not in skipped
    }


def _explain(error: ValidationError) -> str:
    parts = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            parts.append(f"there is no setting {name!r}")
        else:
            parts.append(f"setting {name!r} is {problem['input']!r}: {problem['msg']}")
    return "; ".join(parts)
