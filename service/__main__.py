"""The command line: b12-cds serve | check-config | explain | rules | openapi."""

from __future__ import annotations

import argparse
import json
from datetime import date, datetime
from pathlib import Path

from cards.library import RuleError, load
from service.clients.file import WrongClients, read_clients
from service.commands.check_config import describe
from service.commands.explain import explain as explanation
from service.commands.rules import index, markdown, plain
from service.commands.serve import serve as serve_hooks
from service.commands.serve import settle
from service.endpoints import openapi
from service.endpoints.answers import Refused
from service.endpoints.body import json_object
from service.respond import build
from service.settings import WrongSetting, from_environment


def main() -> None:
    """Runs the command that the arguments name; a wrong argument or setting ends with status 2."""
    parser = argparse.ArgumentParser(prog="b12-cds", description="CDS Hooks services for vitamin B12.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the hooks over HTTP")
    serve.add_argument("--host", help="address (default: B12_CDS_HOST, else 127.0.0.1)")
    serve.add_argument("--port", default=8000, type=int, help="port, 0 for any free one (default: %(default)s)")
    serve.add_argument("--workers", default=1, type=int, help="server processes (default: %(default)s)")
    serve.add_argument("--open", action="store_true", help="without authentication, for this machine only")
    check = commands.add_parser("check-config", help="check the settings and say what each client may do")
    check.add_argument("--host", help="the address to be served (default: B12_CDS_HOST, else 127.0.0.1)")
    explain = commands.add_parser("explain", help="say rule by rule what one request comes to")
    explain.add_argument("request", type=Path, help="a file with the JSON of one hook call")
    explain.add_argument("--date", type=date.fromisoformat, help="the day of the call (default: today)")
    rules = commands.add_parser("rules", help="print the index of all rules")
    rules.add_argument("--markdown", action="store_true", help="as the table of cards/README.md")
    commands.add_parser("openapi", help="print the OpenAPI document")
    arguments = parser.parse_args()
    try:
        _run(arguments, parser)
    except (WrongSetting, WrongClients, RuleError) as wrong:
        parser.exit(2, f"b12-cds: {wrong}\n")


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if arguments.command == "serve":
        if not 0 <= arguments.port <= 65_535:
            parser.error("--port must be from 0 to 65535")
        if arguments.workers < 1:
            parser.error("--workers must be 1 or more")
        settings = settle(arguments.host, arguments.open)
        build(settings)
        serve_hooks(settings, load(), arguments.port, arguments.workers)
        return
    if arguments.command == "check-config":
        settings = settle(arguments.host, open_to_all=False)
        build(settings)
        if settings.clients is None:
            print(f"Whoever reaches {settings.host} may call: B12_CDS_OPEN is 1.")
        else:
            print(describe(read_clients(settings.clients, settings, load()), settings, load()), end="")
        return
    settings = from_environment()
    responder = build(settings)
    if arguments.command == "explain":
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
    else:
        print(json.dumps(openapi.document(responder.services.values()), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
