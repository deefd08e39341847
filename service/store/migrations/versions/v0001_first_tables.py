"""Cards shown, feedback, counts, tokens used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "card_shown",
        sa.Column("card", sa.Uuid(), nullable=False),
        sa.Column("shown_ms", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("hook", sa.String(40), nullable=False),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("variant", sa.String(100), nullable=False),
        sa.Column("delivery", sa.String(10), nullable=False),
        sa.Column("memory", sa.LargeBinary(32)),
        sa.PrimaryKeyConstraint("card", name="pk_card_shown"),
    )
    op.create_index("ix_card_shown_shown_ms", "card_shown", ["shown_ms"])
    op.create_index("ix_card_shown_memory", "card_shown", ["memory"])
    op.create_table(
        "feedback",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("card", sa.Uuid()),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("service", sa.String(60), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("outcome_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("suggestions", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("own_reason", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_feedback"),
        sa.UniqueConstraint("digest", name="uq_feedback_digest"),
    )
    op.create_index("ix_feedback_card", "feedback", ["card"])
    op.create_index("ix_feedback_received_ms", "feedback", ["received_ms"])
    op.create_table(
        "call_count",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("hook", sa.String(40), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("with_unrecognised", sa.BigInteger(), nullable=False),
        sa.Column("unrecognised_codes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "client", "hook", name="pk_call_count"),
    )
    op.create_table(
        "rule_count",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("hook", sa.String(40), nullable=False),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("data", sa.String(200), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "client", "hook", "topic", "outcome", "data", name="pk_rule_count"),
    )
    op.create_table(
        "token_used",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_token_used"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_token_used_expires_ms", "token_used", ["expires_ms"])
