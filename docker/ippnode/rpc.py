"""The agent's side of `ippctl`: requests over a Unix socket, one per connection, as JSON lines.

    ippctl -> agent   {"command": "engines", "options": {...}, "stdin": {...}}
    agent -> ippctl   {"progress": "..."} ...
                      {"output": {...} or null, "errors": ["..."]}

`ippctl` exits with 1 when there are errors.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from ippnode import paths

Progress = Callable[[str], None]
Command = Callable[[dict[str, Any], Any, Progress], Awaitable[Any]]
LONGEST_REQUEST = 4 * 1024 * 1024


class Failed(Exception):
    """A command could not do what was asked: one line for each thing that is wrong."""

    def __init__(self, *errors: str) -> None:
        super().__init__(*errors)
        self.errors = list(errors)


async def serve(commands: Mapping[str, Command]) -> asyncio.Server:
    """Answer `ippctl` until the returned server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(**line: Any) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        try:
            request = json.loads(await reader.readline())
            command = commands.get(request["command"])
            if command is None:
                raise Failed(
                    f"there is no command '{request['command']}' here; "
                    f"there are: {', '.join(sorted(commands))}"
                )
            output = await command(
                request["options"], request["stdin"], lambda text: send(progress=text)
            )
            send(output=output, errors=[])
        except Failed as failed:
            send(output=None, errors=failed.errors)
        except Exception as error:  # a mistake of ours must not leave ippctl waiting
            send(output=None, errors=[f"internal error: {type(error).__name__}: {error}"])
            raise
        finally:
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()

    paths.SOCKET.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(answer, paths.SOCKET, limit=LONGEST_REQUEST)
    paths.SOCKET.chmod(0o600)
    return server
