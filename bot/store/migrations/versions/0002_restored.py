"""Jobs know when they came out of a backup."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN restored DOUBLE PRECISION")
