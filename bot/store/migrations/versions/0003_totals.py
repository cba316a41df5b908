"""An index that holds all the totals: a scrape of the metrics reads it alone, whatever the number of jobs."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE INDEX jobs_totals ON jobs (state, outcome, price, cost)")
