"""Keys for one cluster: without them nobody reaches its scheduler, which would run whatever it is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from distributed.security import Security

_CERTIFICATE, _KEY = "dask-cert.pem", "dask-key.pem"


def new_keys(folder: Path) -> Mapping[str, str]:
    """Make a key and its certificate in `folder`, which only this user can read; the environment that names them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Security.temporary()
    for name, text in ((_CERTIFICATE, made.tls_ca_file), (_KEY, made.tls_client_key)):
        (folder / name).unlink(missing_ok=True)
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    return environment_of(folder)


def environment_of(folder: Path) -> Mapping[str, str]:
    """The settings under which Dask's processes use the keys in `folder`."""
    certificate, key = str(folder / _CERTIFICATE), str(folder / _KEY)
    said = {"CA_FILE": certificate}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        said |= {f"{role}__CERT": certificate, f"{role}__KEY": key}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": value for name, value in said.items()} | {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"
    }


def security_of(folder: Path) -> Security:
    """For a client that uses the keys in `folder`."""
    certificate, key = str(folder / _CERTIFICATE), str(folder / _KEY)
    roles = {
        f"tls_{role}_{part}": value
        for role in ("client", "scheduler", "worker")
        for part, value in (("cert", certificate), ("key", key))
    }
    return Security(tls_ca_file=certificate, require_encryption=True, **roles)
