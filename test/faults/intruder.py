"""Somebody on the network who tries to get in, with keys of several kinds.

intruder.py CLIENT-FILE ENGINE-IDENT

For each kind of keys it prints what the controller answered, and has an engine told to write the
file /tmp/NAME. The first kind is the right one: it shows that the others fail for their keys alone.
"""

import json
import sys
from pathlib import Path
from typing import Any

import zmq
from ipyparallel import util
from jupyter_client.session import Session

ANSWER_MS = 2000

info = json.loads(Path(sys.argv[1]).read_text())
engine = sys.argv[2]
other_curve_key = zmq.curve_keypair()[0].decode()
KEYS: dict[str, tuple[str, str]] = {
    "right": (info["key"], info["curve_serverkey"]),
    "none": ("", ""),
    "wrong-hmac": ("wrong", info["curve_serverkey"]),
    "no-hmac": ("", info["curve_serverkey"]),
    "wrong-curve": (info["key"], other_curve_key),
    "plain-zmq": (info["key"], ""),
}


class Intruder:
    """One who has these keys."""

    def __init__(self, name: str, hmac: str, curve: str) -> None:
        self.name, self.curve = name, curve
        self.session = Session(key=hmac.encode(), signature_scheme=info["signature_scheme"])

    def ask(self, channel: str, kind: str, content: dict[str, Any], to: list[bytes]) -> bool:
        """Whether there is any answer to a message."""
        with zmq.Context.instance().socket(zmq.DEALER) as socket:
            socket.LINGER = 0
            url = f"{info['interface']}:{info[channel]}"
            util.connect(socket, url, curve_serverkey=self.curve.encode() or None)
            self.session.send(socket, kind, content, ident=to)
            return bool(socket.poll(ANSWER_MS))

    def attempts(self) -> dict[str, bool]:
        """What of all that it tries is answered."""
        code = f"open('/tmp/{self.name}', 'w').close()"
        return {
            "lists": self.ask("registration", "connection_request", {}, []),
            "registers": self.ask(
                "registration", "registration_request", {"uuid": f"intruder-{self.name}"}, []
            ),
            "runs": self.ask(
                "mux", "execute_request", {"code": code, "silent": True}, [engine.encode()]
            ),
        }


if __name__ == "__main__":
    answers = {name: Intruder(name, *keys).attempts() for name, keys in KEYS.items()}
    print(json.dumps(answers))
