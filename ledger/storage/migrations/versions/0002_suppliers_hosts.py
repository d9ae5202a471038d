"""Suppliers' hosts"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Suppliers' hosts."""
    op.create_table(
        "hostoffer",
        sa.Column("supplier", sa.String(), nullable=False),
        sa.Column("issued_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("supplier"),
    )
    with op.batch_alter_table("hostoffer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hostoffer_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "hostreport",
        sa.Column("supplier", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("measured_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("supplier", "verifier"),
    )
    with op.batch_alter_table("hostreport", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hostreport_measured_at"), ["measured_at"], unique=False)
