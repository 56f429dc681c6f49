"""Signing in at an OpenID Connect provider: the code flow, with PKCE (S256), a state and a nonce."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pulvinar.access.external_identities import Departure, ExternalIdentity
from pulvinar.errors import NotAuthenticated, Unavailable

_TIMEOUT_S = 10
_KEPT_S = 600
_SCOPE = "openid profile email"
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY_S = 60


@dataclass
class OpenIdProvider:
    """One provider, which is asked for its addresses and keys at first use, and again when they are old."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    title: str = ""
    _told: dict[str, tuple[float, Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.issuer = self.issuer.rstrip("/")
        self.title = self.title or urlsplit(self.issuer).netloc

    def depart(self, back: str) -> Departure:
        """Where the browser goes; `kept` holds the state, the nonce and the verifier of the code."""
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce")}
        kept["verifier"] = secrets.token_urlsafe(48)
        address, _ = self._session(back).create_authorization_url(
            self._document()["authorization_endpoint"],
            state=kept["state"],
            nonce=kept["nonce"],
            code_verifier=kept["verifier"],
        )
        return Departure(address, kept)

    def arrive(self, came_to: str, kept: Mapping[str, str], back: str) -> ExternalIdentity:
        """Whom the provider names, once its answer is checked."""
        said = {name: values[0] for name, values in parse_qs(urlsplit(came_to).query).items()}
        # RFC 9207: an answer that names another issuer was mixed up on the way
        if said.get("iss", self.issuer).rstrip("/") != self.issuer or "code" not in said:
            raise NotAuthenticated("the other service signed nobody in", hint=said.get("error", "try again"))
        try:
            with self._session(back) as session:
                told = session.fetch_token(
                    self._document()["token_endpoint"],
                    authorization_response=came_to,
                    state=kept["state"],
                    code_verifier=kept["verifier"],
                    timeout=_TIMEOUT_S,
                )
            claims = self._claims(told["id_token"], kept["nonce"])
        except (AuthlibBaseError, JoseError, KeyError, ValueError) as error:
            raise NotAuthenticated(f"the other service's answer can't be believed: {error}") from error
        except requests.RequestException as error:
            raise self._silent(error) from error
        name = claims.get("name") or claims.get("preferred_username") or ""
        email = claims.get("email", "") if claims.get("email_verified") is True else ""
        return ExternalIdentity(self.issuer, str(claims["sub"]), str(name), str(email))

    def _session(self, back: str) -> OAuth2Session:
        return OAuth2Session(
            self.client_id,
            self.client_secret,
            scope=_SCOPE,
            redirect_uri=back,
            # a client without a secret shows by the verifier of the code who it is
            token_endpoint_auth_method="client_secret_basic" if self.client_secret else "none",
            code_challenge_method="S256",
        )

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an identity token whose signature, issuer, audience, time and nonce are right."""
        try:
            token = jwt.decode(id_token, self._keys(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # a provider changes its keys now and then
            self._told.pop("keys", None)
            token = jwt.decode(id_token, self._keys(), algorithms=_ALGORITHMS)
        wanted = {
            "iss": {"essential": True, "value": token.claims.get("iss")},
            "aud": {"essential": True, "value": self.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        if str(token.claims.get("iss", "")).rstrip("/") != self.issuer:
            raise ValueError("another issuer")
        CodeIDToken(token.claims, token.header, wanted, {"nonce": nonce, "client_id": self.client_id}).validate(
            leeway=_LEEWAY_S
        )
        return dict(token.claims)

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = self._asked("document", f"{self.issuer}/.well-known/openid-configuration")
        if str(document.get("issuer", "")).rstrip("/") != self.issuer:
            raise Unavailable(f"{self.issuer} says that it is {document.get('issuer')!r}", hint="see oidc_issuer")
        return document

    def _keys(self) -> KeySet:
        return KeySet.import_key_set(self._asked("keys", self._document()["jwks_uri"]))

    def _asked(self, name: str, address: str) -> Any:
        known = self._told.get(name)
        if known and known[0] > time.monotonic():
            return known[1]
        try:
            answer = requests.get(address, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            told = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise self._silent(error) from error
        self._told[name] = (time.monotonic() + _KEPT_S, told)
        return told

    def _silent(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self.title} does not answer: {error}", hint="sign in by your password, or try later")
