"""A database knows which file on which machine it is; videos that could not be posted so far are undelivered ones."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE TABLE identity (instance TEXT PRIMARY KEY, machine TEXT, inode BIGINT NOT NULL)")
    op.execute(
        "UPDATE jobs SET undelivered_since = closed WHERE state = 'closed' AND outcome = 'rendered' "
        "AND receipt = 'gone' AND undelivered_since IS NULL"
    )
