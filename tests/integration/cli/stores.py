"""Servers for tests, each a process of its own: files over HTTP, WebDAV and SFTP, and moto's S3.

``python -m tests.integration.cli.stores http|s3|sftp|webdav PORT FOLDER EVERY STOP``: every so
many-th request for a file is answered 503 or its like, those for what is called ``broken`` always,
and after so many the server is gone; 0 for never. It says ``ready`` when it is.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

_requests = count(1)


def is_refused(path: str, every: int, stop: int) -> bool:
    """Whether a request for a file is answered 503."""
    number = next(_requests)
    if stop and number > stop:
        os._exit(0)
    return path.endswith("broken") or bool(every and number % every == 0)


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, every: int, stop: int, **kwargs: Any) -> None:
        self.every, self.stop = every, stop
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        is_file = not self.path.endswith("/")
        if is_file and is_refused(self.path, self.every, self.stop):
            self.send_error(503)
            return
        super().do_GET()


def serve_http(port: int, folder: str, every: int, stop: int) -> None:
    """Files of a folder."""
    handler = partial(Handler, directory=folder, every=every, stop=stop)
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print("ready", flush=True)
        server.serve_forever()


def serve_s3(port: int, folder: str, every: int, stop: int) -> None:
    """Buckets in memory."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    backend = DomainDispatcherApplication(create_backend_app)

    def app(environ: Any, start_response: Any) -> Any:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        is_put = method == "PUT" and "/up/" in path
        is_object = path.count("/") > 2 and (method == "GET" or is_put)
        if is_object and is_refused(path, every, stop):
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"]
        return backend(environ, start_response)

    server = make_server("127.0.0.1", port, app, threaded=True)
    print("ready", flush=True)
    server.serve_forever()


def serve_webdav(port: int, folder: str, every: int, stop: int) -> None:
    """Files of a folder, to be written too."""
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    backend = WsgiDAVApp({
        "provider_mapping": {"/": folder},
        "simple_dc": {"user_mapping": {"*": True}},
        "logging": {"enable": False},
        "verbose": 0,
    })  # fmt: skip

    def app(environ: Any, start_response: Any) -> Any:
        is_of_file = environ["REQUEST_METHOD"] in {"GET", "PUT", "MOVE"}
        if is_of_file and is_refused(environ["PATH_INFO"], every, stop):
            start_response("503 Busy", [("Connection", "close")])
            return [b""]
        return backend(environ, start_response)

    server = wsgi.Server(("127.0.0.1", port), app, numthreads=20)
    server.prepare()
    print("ready", flush=True)
    server.serve()


def serve_sftp(port: int, folder: str, every: int, stop: int) -> None:
    """Likewise."""
    import asyncio

    import asyncssh

    base: Any = asyncssh.SFTPServer  # mypy must not need it: no class statement

    def opened(self: Any, path: bytes, flags: int, attributes: Any) -> Any:
        if is_refused(os.fsdecode(path), every, stop):
            raise asyncssh.SFTPFailure("busy")
        return base.open(self, path, flags, attributes)

    check = {"validate_password": lambda _self, _user, password: password == "very-secret"}
    supports = {"password_auth_supported": lambda _self: True}
    server = type("Server", (asyncssh.SSHServer,), check | supports)
    files = type("Files", (base,), {"open": opened})

    async def serve() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        await asyncssh.create_server(
            server,
            "127.0.0.1",
            port,
            server_host_keys=[key],
            sftp_factory=lambda channel: files(channel, chroot=folder.encode()),
        )
        print("ready", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    kind, port, folder, every, stop = sys.argv[1:]
    serve = {"http": serve_http, "s3": serve_s3, "webdav": serve_webdav, "sftp": serve_sftp}[kind]
    serve(int(port), folder, int(every), int(stop))
