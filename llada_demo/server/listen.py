"""Where the server listens: an address of its own, or one sentence on what to do."""

from __future__ import annotations

import errno
import os
import socket

from llada_demo.core.errors import UserError

DEFAULT_PORTS = range(7860, 7870)


def wanted_address(host: str | None, port: int | None) -> tuple[str, int | None]:
    """Host and port as asked for, else as Gradio's variables say, else this machine alone and any port."""
    host = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    text = os.environ.get("GRADIO_SERVER_PORT", "")
    if port is None and text:
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise UserError(
                f"GRADIO_SERVER_PORT={text} bukan nomor porta; pakai bilangan dari 1 sampai 65535.",
                f"GRADIO_SERVER_PORT={text} is not a port number; use one from 1 to 65535.",
            )
        port = int(text)
    return host, port


def claim(host: str, port: int | None) -> socket.socket:
    """A listening socket on `port`; for None on the first free one of 7860 to 7869.

    The socket listens from here on, so that nobody else gets the port while the application starts.
    """
    ports = DEFAULT_PORTS if port is None else (port,)
    for candidate in ports:
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"Tidak bisa memakai alamat {host}:{candidate}: {error.strerror}. "
                    "Periksa GRADIO_SERVER_NAME dan GRADIO_SERVER_PORT.",
                    f"Cannot use the address {host}:{candidate}: {error.strerror}. "
                    "Check GRADIO_SERVER_NAME and GRADIO_SERVER_PORT.",
                ) from error
    raise _taken(ports)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends small pieces at once only where it is: 1 ms instead of 45.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


def _taken(ports: range | tuple[int, ...]) -> UserError:
    if len(ports) == 1:
        taken_id, taken_en = f"Porta {ports[0]} sudah dipakai", f"Port {ports[0]} is in use"
    else:
        taken_id = f"Porta {ports[0]} sampai {ports[-1]} sudah dipakai"
        taken_en = f"Ports {ports[0]} to {ports[-1]} are in use"
    command = f"GRADIO_SERVER_PORT={ports[-1] + 1} python app.py"
    return UserError(
        f"{taken_id}. Hentikan program yang memakainya, atau pilih porta lain: {command}",
        f"{taken_en}. Stop the program that uses it, or choose another port: {command}",
    )


def address_of(listener: socket.socket) -> str:
    """The address to open in a browser, such as http://127.0.0.1:7860."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
