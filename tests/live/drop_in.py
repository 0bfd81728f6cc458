"""`tensorflow_model_server` as a process of its own, on ports that were free a moment ago."""

import socket

from tests.live.process import LiveServer


def free_port() -> int:
    """A port for a flag that cannot ask for any free one: 0 means none there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def drop_in(*flags: str) -> LiveServer:
    """The drop-in command with both doors and without the operators' API, unless flags say otherwise."""
    ports = (f"--port={free_port()}", f"--rest_api_port={free_port()}", "--admin_port=0")
    return LiveServer(*ports, *flags, command="tensorflow_model_server")


def here(address: str) -> str:
    """How this machine reaches a server that listens on every address."""
    return f"127.0.0.1:{address.rpartition(':')[2]}"
