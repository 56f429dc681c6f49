"""DataCite's REST API on loopback, as its documentation says: JSON:API, states of DOIs, and refusals."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from datacite import schema45

USER, PASSWORD, PREFIX = "TEST.LAB", "a secret of the account", "10.5072"
_STATES = {"publish": "findable", "register": "registered", "hide": "registered"}


@dataclass
class DataCiteServer:
    """A running server: what it holds, and how many of the next requests it fails."""

    url: str = ""
    dois: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    failing: int = 0


@contextmanager
def datacite_server() -> Iterator[DataCiteServer]:
    known = DataCiteServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = self._sent()
            if sent is None:
                return
            doi = sent["doi"].lower()
            if doi in known.dois:
                self._answer(422, {"errors": [{"source": "doi", "title": "This DOI has already been taken"}]})
            else:
                self._keep(201, doi, sent)

        def do_PUT(self):
            sent = self._sent()
            if sent is not None:
                self._keep(200, self.path.removeprefix("/dois/").lower(), sent)

        def _sent(self) -> dict[str, Any] | None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            known.requests.append(f"{self.command} {self.path}")
            allowed = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if known.failing:
                known.failing -= 1
                return self._answer(503, {"errors": [{"title": "try later"}]})
            if self.headers["authorization"] != allowed:
                return self._answer(401, {"errors": [{"status": "401", "title": "Bad credentials."}]})
            assert self.headers["content-type"] == "application/vnd.api+json"
            return body["data"]["attributes"]

        def _keep(self, status: int, doi: str, sent: dict[str, Any]) -> None:
            event = sent.pop("event", "")
            kept = {**known.dois.get(doi, {}), **sent}
            described = {key: value for key, value in kept.items() if key not in ("prefix", "url", "state")}
            try:
                schema45.validator.validate(described)
                assert doi.startswith(f"{PREFIX}/"), doi
            except Exception as error:
                self._answer(400, {"errors": [{"title": str(error)[:500]}]})
                return
            known.dois[doi] = {**kept, "state": _STATES[event]}
            self._answer(status, {"data": {"id": doi, "type": "dois", "attributes": known.dois[doi]}})

        def _answer(self, status: int, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/vnd.api+json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
