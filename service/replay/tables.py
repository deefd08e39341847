"""The tables of a replay: counted by DuckDB from the rows of all parts, written as Parquet and as CSV."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from cards.library import Library
from service.replay import export
from service.replay.sample import Row, merged

_COLUMNS = {
    "kind": "VARCHAR",
    "patient": "VARCHAR",
    "id": "VARCHAR",
    "hook": "VARCHAR",
    "day": "DATE",
    "ordered": "VARCHAR",
    "alerts": "STRUCT(topic VARCHAR, variant VARCHAR, level VARCHAR)[]",
    "gaps": "STRUCT(topic VARCHAR, data VARCHAR, reason VARCHAR)[]",
    "excluded": "STRUCT(topic VARCHAR, why VARCHAR, calls BIGINT)[]",
    "merged": "VARCHAR[]",
    "open_questions": "BOOLEAN",
    "resources": "BIGINT",
    "views": "BIGINT",
    "orders": "BIGINT",
    "undated": "BIGINT",
    "unreadable": "BIGINT",
    "codes": "STRUCT(code VARCHAR, read_as VARCHAR)[]",
    "asked": "STRUCT(topic VARCHAR, calls BIGINT)[]",
    "topic": "VARCHAR",
    "outcome": "VARCHAR",
    "number": "UBIGINT",
    "level": "VARCHAR",
    "said": "VARCHAR",
    "why": "VARCHAR",
    "reason": "VARCHAR",
}
_SAMPLE = ("topic", "outcome", "patient", "number", "day", "hook", "ordered", "level", "said", "why")
_LONGEST_ROW = 64 * 1024 * 1024

# Each ends in an order that leaves nothing to chance.
_TABLES = {
    "totals": """
        SELECT count(*) AS patients, sum(resources) AS resources, sum(views) AS chart_views, sum(orders) AS orders,
          (SELECT count(*) FROM cards) AS cards, (SELECT count(DISTINCT patient) FROM cards) AS patients_with_cards,
          (SELECT count(*) FROM rows WHERE kind = 'call' AND open_questions) AS calls_with_open_questions,
          sum(undated) AS facts_without_date, sum(unreadable) AS facts_unreadable,
          (SELECT count(*) FROM rows WHERE kind = 'problem') AS patients_not_replayed
        FROM patients""",
    "rules": """
        WITH asked AS (
            SELECT a.topic, sum(a.calls) AS calls FROM (SELECT unnest(asked) AS a FROM patients) GROUP BY ALL),
          gaps AS (SELECT topic, count(*) AS calls FROM gaps GROUP BY ALL),
          merged AS (SELECT topic, count(*) AS calls FROM (SELECT unnest(merged) AS topic FROM calls) GROUP BY ALL),
          said AS (SELECT topic, count(*) AS cards, count(DISTINCT patient) AS patients FROM cards GROUP BY ALL)
        SELECT rule.place, rule.topic, rule.title, coalesce(asked.calls, 0)::BIGINT AS asked,
          coalesce(said.cards, 0) AS cards, coalesce(said.patients, 0) AS patients,
          coalesce(merged.calls, 0) AS said_by_another_rule, coalesce(gaps.calls, 0) AS not_evaluated
        FROM rule LEFT JOIN asked USING (topic) LEFT JOIN said USING (topic) LEFT JOIN gaps USING (topic)
          LEFT JOIN merged USING (topic)
        ORDER BY rule.place""",
    "burden": """
        SELECT rule.topic, rule.title, cards.hook, cards.level, count(*) AS cards,
          count(DISTINCT cards.patient) AS patients,
          round(CASE WHEN cards.hook = 'order-sign' THEN 100.0 * count(*) / (SELECT sum(orders) FROM patients) END, 4)
            AS cards_per_100_orders,
          round(1000.0 * count(*) / (SELECT count(*) FROM patients), 4) AS cards_per_1000_patients,
          round(1000.0 * count(DISTINCT cards.patient) / (SELECT count(*) FROM patients), 4)
            AS patients_per_1000_patients
        FROM cards JOIN rule USING (topic) GROUP BY rule.topic, rule.title, cards.hook, cards.level
        ORDER BY rule.topic, cards.hook, cards.level""",
    "months": """
        WITH asked AS (
          SELECT date_trunc('month', day)::DATE AS month, hook, count(*) AS calls FROM calls GROUP BY ALL)
        SELECT date_trunc('month', cards.day)::DATE AS month, cards.topic, cards.hook, cards.level, count(*) AS cards,
          any_value(asked.calls) AS calls_of_the_hook, round(100.0 * count(*) / any_value(asked.calls), 4)
            AS cards_per_100_calls
        FROM cards JOIN asked ON asked.month = date_trunc('month', cards.day)::DATE AND asked.hook = cards.hook
        GROUP BY date_trunc('month', cards.day)::DATE, cards.topic, cards.hook, cards.level
        ORDER BY month, cards.topic, cards.hook, cards.level""",
    "overlap": """
        WITH spoken AS (SELECT DISTINCT patient, topic FROM cards)
        SELECT one.topic AS topic, other.topic AS other_topic, count(*) AS patients
        FROM spoken one JOIN spoken other USING (patient) GROUP BY ALL ORDER BY topic, other_topic""",
    "patients": """
        SELECT patient, any_value(patients.id) AS patient_id, count(*) AS cards, count(DISTINCT cards.topic) AS rules,
          count(*) FILTER (cards.level = 'critical') AS critical, any_value(views) AS chart_views,
          any_value(orders) AS orders
        FROM cards JOIN patients USING (patient) GROUP BY patient ORDER BY cards DESC, rules DESC, patient""",
    "not_evaluated": """
        SELECT topic, data, reason, count(*) AS calls, count(DISTINCT patient) AS patients
        FROM gaps GROUP BY ALL ORDER BY calls DESC, topic, data, reason""",
    "silences": """
        SELECT topic, why, sum(calls)::BIGINT AS calls, count(DISTINCT patient) AS patients
        FROM (SELECT patient, unnest(excluded, recursive := true) FROM patients) GROUP BY ALL
        ORDER BY topic, calls DESC, why""",
    "unrecognised_codes": """
        SELECT code, read_as, count(DISTINCT patient) AS patients
        FROM (SELECT patient, unnest(codes, recursive := true) FROM patients) GROUP BY ALL
        ORDER BY patients DESC, code, read_as""",
    "cards": "SELECT * FROM cards ORDER BY patient, day, hook, topic, variant, level, ordered",
}  # fmt: skip


class Tables:
    """The counted rows of a replay, in a database on disk. Close it when done."""

    def __init__(self, rows: Path, work: Path, library: Library, memory_mb: int, threads: int) -> None:
        self._duck = _loaded(rows, work, library, memory_mb, threads)

    def close(self) -> None:
        """Closes the database."""
        self._duck.close()

    def write(self, folder: Path, *, identifiers: bool) -> None:
        """Every table as Parquet and as CSV; the ids of patients only when asked for."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, query in _TABLES.items():
            if not identifiers:
                query = query.replace("any_value(patients.id) AS patient_id, ", "")
            for kind in ("parquet", "csv"):
                target = str(folder / f"{name}.{kind}").replace("'", "''")
                options = "FORMAT parquet, COMPRESSION zstd" if kind == "parquet" else "HEADER"
                self._duck.execute(f"COPY ({query}) TO '{target}' ({options})")

    def read(self, name: str, limit: int = 100_000) -> list[Row]:
        """The first rows of a table."""
        found = self._duck.execute(f"SELECT * FROM ({_TABLES[name]}) LIMIT {limit}")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def sample(self, size: int) -> list[Row]:
        """The review sample of the whole population, from those of its parts."""
        found = self._duck.execute(f"SELECT {', '.join(_SAMPLE)} FROM rows WHERE kind = 'sample'")
        return merged((dict(zip(_SAMPLE, row, strict=True)) for row in found.fetchall()), size)

    def identifiers(self, pseudonyms: set[str]) -> dict[str, str]:
        """The ids of these patients; empty unless the replay kept them."""
        found = self._duck.execute(
            "SELECT patient, id FROM patients WHERE id IS NOT NULL AND list_contains(?, patient)", [sorted(pseudonyms)]
        )
        return dict(found.fetchall())

    def problems(self) -> Iterator[tuple[str, str]]:
        """(id, what was the matter) of each patient that could not be replayed."""
        found = self._duck.execute("SELECT id, reason FROM rows WHERE kind = 'problem' ORDER BY id")
        yield from found.fetchall()


def _loaded(rows: Path, work: Path, library: Library, memory_mb: int, threads: int) -> duckdb.DuckDBPyConnection:
    database = work / "tables.duckdb"
    database.unlink(missing_ok=True)
    duck = export.connect(work, memory_mb, threads, database)
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    files = str(rows).replace("'", "''")
    duck.execute(
        f"CREATE TABLE rows AS SELECT * FROM read_json('{files}/part-*', format = 'newline_delimited', "
        f"columns = {{{columns}}}, maximum_object_size = {_LONGEST_ROW}, compression = 'auto_detect')"
    )
    duck.execute("CREATE VIEW calls AS SELECT * FROM rows WHERE kind = 'call'")
    duck.execute(
        "CREATE VIEW patients AS SELECT patient, id, resources, views, orders, undated, unreadable, codes, asked, "
        "excluded FROM rows WHERE kind = 'patient'"
    )
    duck.execute(
        "CREATE TABLE cards AS SELECT patient, day, hook, ordered, a.topic, a.variant, a.level "
        "FROM (SELECT patient, day, hook, ordered, unnest(alerts) AS a FROM calls)"
    )
    duck.execute(
        "CREATE TABLE gaps AS SELECT patient, g.topic, g.data, g.reason "
        "FROM (SELECT patient, unnest(gaps) AS g FROM calls)"
    )
    duck.execute("CREATE TABLE rule (place INTEGER, topic VARCHAR, title VARCHAR)")
    order = library.shared.precedence.index
    listed: list[tuple[Any, ...]] = [
        (place, topic, library.folders[topic].definition.title)
        for place, topic in enumerate(sorted(library.folders, key=order), 1)
    ]
    duck.executemany("INSERT INTO rule VALUES (?, ?, ?)", listed)
    return duck
