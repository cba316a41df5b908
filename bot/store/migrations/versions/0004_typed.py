"""A job knows what it knows in columns of its own, by the field's words; the ledger counts per job.

What was kept among the options before, who else may be asked, what was
noticed of the pictures and who could not take the job, moves to columns; every other key stays where it is.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

RENAMED = {
    "surface": "chat",
    "place": "address",
    "began": "effect_started",
    "rendering_since": "rendering_started",
}
ADDED = (
    "fallbacks TEXT NOT NULL DEFAULT '[]'",
    "notices TEXT NOT NULL DEFAULT '[]'",
    "passed_providers TEXT NOT NULL DEFAULT '[]'",
    "parent TEXT",
    "relation TEXT",
    "group_id TEXT",
    "ticket_id TEXT",
    "undelivered_since DOUBLE PRECISION",
    "reserved BIGINT NOT NULL DEFAULT 0",
)
MOVED = {"elsewhere": "fallbacks", "notes": "notices", "passed_over": "passed_providers"}
PAGE = 1000


def upgrade() -> None:
    for old, new in RENAMED.items():
        op.execute(f"ALTER TABLE jobs RENAME COLUMN {old} TO {new}")
    for column in ADDED:
        op.execute(f"ALTER TABLE jobs ADD COLUMN {column}")
    _move_out_of_the_options()
    op.execute("ALTER TABLE ledger ADD COLUMN reserved_at DOUBLE PRECISION NOT NULL DEFAULT 0")
    op.execute(
        "UPDATE ledger SET reserved_at = coalesce((SELECT r.at FROM ledger r WHERE r.job = ledger.job "
        "AND r.kind = 'reserve'), at)"
    )
    op.execute(
        "UPDATE jobs SET reserved = coalesce((SELECT l.amount FROM ledger l WHERE l.job = jobs.id "
        "AND l.kind = 'reserve'), price)"
    )
    op.execute("DROP INDEX ledger_at")
    op.execute("CREATE INDEX ledger_window ON ledger (reserved_at, amount)")
    op.execute("CREATE INDEX ledger_requester ON ledger (requester, reserved_at, amount)")
    op.execute("DROP INDEX jobs_totals")
    op.execute("CREATE INDEX jobs_totals ON jobs (state, outcome, reserved, cost)")
    op.execute("CREATE INDEX jobs_ticket ON jobs (provider, ticket_id) WHERE ticket_id IS NOT NULL")
    op.execute("CREATE INDEX jobs_undelivered ON jobs (undelivered_since) WHERE undelivered_since IS NOT NULL")


def _move_out_of_the_options() -> None:
    connection, last = op.get_bind(), ""
    page = sa.text("SELECT id, options FROM jobs WHERE id > :last ORDER BY id LIMIT :page")
    write = sa.text(
        "UPDATE jobs SET options = :options, fallbacks = :fallbacks, notices = :notices, "
        "passed_providers = :passed_providers WHERE id = :id"
    )
    while rows := connection.execute(page, {"last": last, "page": PAGE}).all():
        connection.execute(write, [_split(name, options) for name, options in rows])
        last = rows[-1][0]


def _split(name: str, text: str) -> dict[str, Any]:
    options = json.loads(text)
    moved = {new: json.dumps(options.pop(old, None) or [], ensure_ascii=False) for old, new in MOVED.items()}
    return {"id": name, "options": json.dumps(options, ensure_ascii=False), **moved}
