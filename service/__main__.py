"""The command line: b12-cds serve | explain | rules | replay | review | demo-population | openapi."""

from __future__ import annotations

import argparse
import copy
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from cards.library import RuleError, load
from service.commands import population
from service.commands.explain import explain as explanation
from service.commands.rules import index, markdown, plain
from service.endpoints import openapi
from service.endpoints.answers import Refused
from service.endpoints.body import json_object
from service.respond import build
from service.settings import Settings, WrongSetting, from_environment


def main() -> None:
    """Runs the command that the arguments name; a wrong argument or setting ends with status 2."""
    parser = argparse.ArgumentParser(prog="b12-cds", description="CDS Hooks services for vitamin B12.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the hooks over HTTP")
    serve.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    serve.add_argument("--port", default=8000, type=int, help="port, 0 for any free one (default: %(default)s)")
    serve.add_argument("--workers", default=1, type=int, help="server processes (default: %(default)s)")
    explain = commands.add_parser("explain", help="say rule by rule what one request comes to")
    explain.add_argument("request", type=Path, help="a file with the JSON of one hook call")
    explain.add_argument("--date", type=date.fromisoformat, help="the day of the call (default: today)")
    rules = commands.add_parser("rules", help="print the index of all rules")
    rules.add_argument("--markdown", action="store_true", help="as the table of cards/README.md")
    commands.add_parser("openapi", help="print the OpenAPI document")
    population.add_commands(commands)
    arguments = parser.parse_args()
    try:
        settings = from_environment()
        responder = build(settings)
    except (WrongSetting, RuleError) as wrong:
        parser.exit(2, f"b12-cds: {wrong}\n")
    if arguments.command == "serve":
        if not 0 <= arguments.port <= 65_535:
            parser.error("--port must be from 0 to 65535")
        if arguments.workers < 1:
            parser.error("--workers must be 1 or more")
        _serve(settings, arguments.host, arguments.port, arguments.workers)
    elif arguments.command == "explain":
        today = arguments.date or datetime.now(settings.zone).date()
        try:
            print(explanation(json_object(arguments.request.read_bytes()), responder, load(), today), end="")
        except OSError as unreadable:
            parser.exit(2, f"b12-cds: {arguments.request}: {unreadable.strerror}\n")
        except Refused as refused:
            parser.exit(1, f"b12-cds: {arguments.request}: {refused}\n")
    elif arguments.command == "rules":
        rows = index(load())
        print(markdown(rows) if arguments.markdown else plain(rows), end="")
    elif (status := population.answer(arguments, settings, load(), datetime.now(settings.zone).date())) is not None:
        sys.exit(status)
    else:
        print(json.dumps(openapi.document(responder.services.values()), indent=2, ensure_ascii=False))


def _serve(settings: Settings, host: str, port: int, workers: int) -> None:
    address = f"[{host}]" if ":" in host else host
    print(
        f"B12 CDS: profile {settings.profile}, time zone {settings.zone.key}, http://{address}:{port}/cds-services",
        file=sys.stderr,
        flush=True,
    )
    uvicorn.run(
        "service.app:from_settings_in_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        server_header=False,
        log_config=_log_config(),
    )


def _log_config() -> dict[str, Any]:
    """The server's own log format, for our log lines too."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["service"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config


if __name__ == "__main__":
    main()
