"""The tables of access sessions and refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "a2"
down_revision = "a1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    for table, extra_columns in (
        ("access_sessions", ()),
        ("refresh_tokens", ("used_at", "revoked_at")),
    ):
        op.create_table(
            table,
            sa.Column("token_hash", sa.String(64), nullable=False),
            sa.Column("account_id", sa.BigInteger(), nullable=False),
            sa.Column("family", sa.String(40), nullable=False),
            sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
            *(
                sa.Column(name, sa.DateTime(timezone=True), nullable=True)
                for name in extra_columns
            ),
            sa.PrimaryKeyConstraint("token_hash", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(
                ["account_id"],
                ["accounts.id"],
                name=f"fk_{table}_account_id_accounts",
            ),
        )
        op.create_index(f"ix_{table}_family", table, ["family"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("refresh_tokens")
    op.drop_table("access_sessions")
