"""Jobs, their history, and the money."""

from alembic import op

revision = "0001"
down_revision = None

JOBS = """
CREATE TABLE jobs (
    id               TEXT PRIMARY KEY,
    key              TEXT NOT NULL UNIQUE,
    surface          TEXT NOT NULL,
    place            TEXT NOT NULL,
    requester        TEXT NOT NULL,
    locale           TEXT NOT NULL,
    prompt           TEXT NOT NULL,
    model            TEXT NOT NULL,
    provider         TEXT NOT NULL,
    options          TEXT NOT NULL,
    price            BIGINT NOT NULL CHECK (price >= 0),
    created          DOUBLE PRECISION NOT NULL,
    state            TEXT NOT NULL
                     CHECK (state IN ('queued', 'submitting', 'rendering', 'overdue', 'replying', 'closed')),
    due              DOUBLE PRECISION NOT NULL,
    fence            BIGINT NOT NULL,
    claimed          SMALLINT NOT NULL CHECK (claimed IN (0, 1)),
    attempts         BIGINT NOT NULL,
    began            DOUBLE PRECISION,
    ticket           TEXT,
    ticketed         DOUBLE PRECISION,
    progress         TEXT,
    rendering_since  DOUBLE PRECISION,
    shown            DOUBLE PRECISION NOT NULL,
    cancel_asked     DOUBLE PRECISION,
    cancel_answered  SMALLINT NOT NULL CHECK (cancel_answered IN (0, 1)),
    outcome          TEXT CHECK (outcome IN ('rendered', 'refused', 'cancelled', 'interrupted', 'unavailable',
                                             'misconfigured', 'timed out')),
    detail           TEXT NOT NULL,
    cost             BIGINT,
    settled          DOUBLE PRECISION,
    late             SMALLINT NOT NULL CHECK (late IN (0, 1)),
    receipt          TEXT,
    closed           DOUBLE PRECISION,
    CHECK (state NOT IN ('rendering', 'overdue') OR ticket IS NOT NULL),
    CHECK (state <> 'submitting' OR began IS NOT NULL),
    CHECK ((state IN ('replying', 'closed')) = (outcome IS NOT NULL))
)
"""

HISTORY = """
CREATE TABLE history (
    job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n       BIGINT NOT NULL,
    at      DOUBLE PRECISION NOT NULL,
    event   TEXT NOT NULL,
    state   TEXT NOT NULL,
    detail  TEXT NOT NULL,
    PRIMARY KEY (job, n)
)
"""

LEDGER = """
CREATE TABLE ledger (
    job        TEXT NOT NULL REFERENCES jobs (id),
    kind       TEXT NOT NULL CHECK (kind IN ('reserve', 'release', 'settle')),
    amount     BIGINT NOT NULL,
    requester  TEXT NOT NULL,
    at         DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (job, kind)
)
"""


def upgrade() -> None:
    op.execute(JOBS)
    op.execute("CREATE INDEX jobs_due ON jobs (due) WHERE state <> 'closed'")
    op.execute("CREATE INDEX jobs_requester ON jobs (requester, created)")
    op.execute("CREATE INDEX jobs_rendered ON jobs (provider, model, settled) WHERE outcome = 'rendered'")
    op.execute(HISTORY)
    op.execute(LEDGER)
    op.execute("CREATE INDEX ledger_at ON ledger (at)")
