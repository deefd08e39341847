"""The command line, b12-cds: each command reads the settings, and ends with status 2 for a wrong one."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from cards.library import RuleError, load
from cards.terminology import ValueSetError
from service.clients.file import WrongClients, read_clients
from service.commands import population, storage
from service.commands.check_config import describe
from service.commands.explain import explain as explanation
from service.commands.rules import index, markdown, plain
from service.commands.serve import serve as serve_hooks
from service.commands.serve import settle
from service.commands.value_sets import export, import_dmd, import_rxnorm
from service.endpoints import openapi
from service.endpoints.answers import Refused
from service.endpoints.body import json_object
from service.respond import build
from service.settings import Settings, WrongSetting, from_environment
from service.value_sets.products import WrongRelease
from service.value_sets.site import library_of


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
    form = rules.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as the table of cards/README.md")
    form.add_argument("--valuesets", type=Path, metavar="DIR", help="write the value sets as FHIR R4 resources to DIR")
    _add_imports(commands.add_parser("value-sets", help="add the products of a site's own drug dictionary"))
    commands.add_parser("openapi", help="print the OpenAPI document")
    commands.add_parser("migrate", help="bring the tables of the store up to date")
    commands.add_parser("demo-data", help="fill an empty store with invented cards for the governance page")
    purge = commands.add_parser("purge", help="delete what the store has kept for long enough")
    purge.add_argument("--days", type=int, help="how many days to keep (default: B12_CDS_KEEP_DAYS)")
    population.add_commands(commands)
    arguments = parser.parse_args()
    try:
        _run(arguments, parser)
    except (WrongSetting, WrongClients, RuleError, ValueSetError, WrongRelease) as wrong:
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
    if arguments.command == "value-sets":
        print(_imported(arguments, settings), end="")
        return
    if arguments.command in ("migrate", "purge", "demo-data"):
        _keep_store(parser, arguments, settings)
        return
    status = population.answer(arguments, settings, library_of(settings.data_dir), datetime.now(settings.zone).date())
    if status is not None:
        sys.exit(status)
    responder = build(settings)
    if arguments.command == "explain":
        today = arguments.date or datetime.now(settings.zone).date()
        try:
            print(
                explanation(
                    json_object(arguments.request.read_bytes()), responder, library_of(settings.data_dir), today
                ),
                end="",
            )
        except OSError as unreadable:
            parser.exit(2, f"b12-cds: {arguments.request}: {unreadable.strerror}\n")
        except Refused as refused:
            parser.exit(1, f"b12-cds: {arguments.request}: {refused}\n")
    elif arguments.command == "rules":
        print(_told_of_rules(arguments, parser), end="")
    else:
        print(json.dumps(openapi.document(responder.services.values()), indent=2, ensure_ascii=False))


def _add_imports(parser: argparse.ArgumentParser) -> None:
    releases = parser.add_subparsers(dest="release", required=True)
    rxnorm = releases.add_parser("import-rxnorm", help="from an RxNorm release")
    rxnorm.add_argument("conso", type=Path, metavar="RXNCONSO.RRF", help="the names")
    rxnorm.add_argument("rel", type=Path, metavar="RXNREL.RRF", help="the relations")
    dmd = releases.add_parser("import-dmd", help="from a dm+d release")
    dmd.add_argument("folder", type=Path, help="the unpacked release, with f_vtm2_….xml, f_vmp2_….xml and the others")


def _imported(arguments: argparse.Namespace, settings: Settings) -> str:
    """What came of an import. Raises `WrongRelease`."""
    try:
        if arguments.release == "import-rxnorm":
            return import_rxnorm(arguments.conso, arguments.rel, settings.data_dir)
        return import_dmd(arguments.folder, settings.data_dir)
    except OSError as fault:
        raise WrongRelease(f"{fault.filename or settings.data_dir}: cannot be written: {fault.strerror}") from None


def _told_of_rules(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    if arguments.valuesets is None:
        rows = index(load())
        return markdown(rows) if arguments.markdown else plain(rows)
    try:
        return export(arguments.valuesets)
    except OSError as fault:
        parser.exit(2, f"b12-cds: {fault.filename or arguments.valuesets}: cannot be written: {fault.strerror}\n")


def _keep_store(parser: argparse.ArgumentParser, arguments: argparse.Namespace, settings: Settings) -> None:
    try:
        if arguments.command == "migrate":
            print(storage.migrate(settings))
            return
        if arguments.command == "demo-data":
            print(storage.demo_data(settings, load(), datetime.now(UTC)))
            return
        days = settings.keep_days if arguments.days is None else arguments.days
        if days < 1:
            parser.error("--days must be 1 or more")
        print(storage.purge(settings, days, datetime.now(UTC)))
    except storage.StoreFailed as failed:
        parser.exit(1, f"b12-cds: {failed}\n")


if __name__ == "__main__":
    main()
