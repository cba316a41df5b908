"""An index that finds who is at a provider, and who waits for it in order, whatever the number of jobs."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX jobs_line ON jobs (provider, state, created) WHERE state <> 'closed'")
