"""The tables: cards shown, feedback, counts of calls and rules, tokens used.

Times are whole milliseconds since 1970 in UTC, so that one SQL does for every database. Nothing here names a patient.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

DAY_MS = 86_400_000
# The first Monday of the count of days that begins with Thursday, 1 January 1970.
FIRST_MONDAY = 4

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)
_RowNumber = BigInteger().with_variant(Integer, "sqlite")

# `delivery`: shown, silent (evaluated for a silent client or rule, not sent) or quiet (kept back after an override).
# `memory`: what an override of this card is remembered by; empty unless override memory is on.
card_shown = Table(
    "card_shown",
    metadata,
    Column("card", Uuid, primary_key=True),
    Column("shown_ms", BigInteger, nullable=False, index=True),
    Column("client", String(200), nullable=False),
    Column("hook", String(40), nullable=False),
    Column("topic", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("level", String(10), nullable=False),
    Column("variant", String(100), nullable=False),
    Column("delivery", String(10), nullable=False),
    Column("memory", LargeBinary(32)),
)
Index("ix_card_shown_memory", card_shown.c.memory)

# One row for each entry that an EHR sent; one that it repeats word for word is kept once (`digest`).
# `card` is empty when it was no UUID, `reason` when none was given; `own_reason`: it is one of our override reasons.
feedback = Table(
    "feedback",
    metadata,
    Column("number", _RowNumber, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("card", Uuid, index=True),
    Column("client", String(200), nullable=False),
    Column("service", String(60), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("outcome_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False, index=True),
    Column("suggestions", Integer, nullable=False),
    Column("reason", String(64)),
    Column("own_reason", Boolean, nullable=False),
    Column("comment", Text),
)

call_count = Table(
    "call_count",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("client", String(200), primary_key=True),
    Column("hook", String(40), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("with_unrecognised", BigInteger, nullable=False),
    Column("unrecognised_codes", BigInteger, nullable=False),
)

# `outcome`: `evaluated`, or the reason why not; `data`: the prefetch keys that were lacking, joined by commas.
rule_count = Table(
    "rule_count",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("client", String(200), primary_key=True),
    Column("hook", String(40), primary_key=True),
    Column("topic", String(100), primary_key=True),
    Column("outcome", String(40), primary_key=True),
    Column("data", String(200), primary_key=True),
    Column("times", BigInteger, nullable=False),
)

# `digest` stands for issuer and jti.
token_used = Table(
    "token_used",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
