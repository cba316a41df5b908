"""Every statement the store runs, whole. Nothing is run here."""

from dataclasses import fields

from sqlalchemy import bindparam, text

from bot.domain.job import Job

COLUMNS = ("chat", *(f.name for f in fields(Job)), "reserved")  # `address`: the place in that chat
BORN = ("id", "key", "chat", "address", "requester", "locale", "prompt", "created", "parent", "relation", "group_id")
NOT_OURS = {*BORN, "fence", "due", "cancel_asked", "restored"}  # never written by a step
MOVES = tuple(name for name in COLUMNS if name not in NOT_OURS)

# A cancel that arrived while the step was busy must not wait for the step's next poll.
DUE = """CASE WHEN cancel_asked IS NOT NULL AND cancel_answered = 0 AND :saw_cancel = 0 AND :hurry = 1
               THEN :now ELSE :due END"""

ADD = text(
    f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + c for c in COLUMNS)}) "  # noqa: S608 - names of our own dataclass
    "ON CONFLICT (key) DO NOTHING"
)
CLAIM = text(
    """
    UPDATE jobs SET due = :until, fence = fence + 1, claimed = 1
     WHERE id IN (SELECT id FROM jobs
                   WHERE state <> 'closed' AND due <= :now AND chat IN :chats AND id NOT IN :busy
                     AND (CAST(:only AS TEXT) IS NULL OR id = :only)
                   ORDER BY due LIMIT :most)
    RETURNING *
    """
).bindparams(bindparam("chats", expanding=True), bindparam("busy", expanding=True))
RECORD = text(
    f"UPDATE jobs SET {', '.join(f'{c} = :{c}' for c in MOVES)}, due = {DUE} WHERE id = :id AND fence = :fence"  # noqa: S608 - the same
)
WAIT = text(
    f"UPDATE jobs SET claimed = 0, attempts = 0, due = {DUE} WHERE id = :id AND fence = :fence AND claimed = 1"  # noqa: S608 - the same
)
EXTEND = text("UPDATE jobs SET due = :until WHERE id = :id AND fence = :fence")
# Who holds a place of a provider, and who waits for one before a job. A row that was due long ago has no worker any
# more (its chat is gone, or its process): it stands in nobody's way. Nor does a job that is late for an hour.
LINE = text(
    """
    SELECT (SELECT count(*) FROM (
              SELECT 1 FROM jobs
               WHERE state <> 'closed' AND provider = :provider AND id <> :id AND due > :alive
                 AND state IN ('queued', 'submitting', 'rendering', 'overdue')
                 AND (state <> 'queued' OR effect_started IS NOT NULL) AND (state <> 'overdue' OR ticketed > :lately)
               LIMIT :places) AS held) AS held,
           count(*) AS ahead, coalesce(sum(waits), 0) AS waiting
      FROM (SELECT CASE WHEN attempts > 0 OR progress IS NOT NULL THEN 1 ELSE 0 END AS waits FROM jobs
             WHERE state <> 'closed' AND provider = :provider AND state = 'queued' AND due > :alive
               AND (created < :created OR (created = :created AND id < :id))
             ORDER BY created LIMIT :most) AS older
    """
)
WAKE_NEXT = text(
    """
    UPDATE jobs SET due = :now
     WHERE id = (SELECT id FROM jobs
                  WHERE state <> 'closed' AND provider = :provider AND state = 'queued' AND claimed = 0 AND due > :now
                  ORDER BY created, id LIMIT 1)
    """
)
HISTORY = text(
    """
    INSERT INTO history (job, n, at, event, state, detail)
    VALUES (:job, (SELECT coalesce(max(n), 0) + 1 FROM history WHERE job = :job), :at, :event, :state, :detail)
    """
)
LEDGER = text(
    """
    INSERT INTO ledger (job, kind, amount, requester, at, reserved_at)
    VALUES (:job, :kind, :amount, :requester, :at, :reserved_at)
    ON CONFLICT (job, kind) DO NOTHING
    """
)
RESERVE_ANEW = text("UPDATE ledger SET amount = :amount WHERE job = :job AND kind = 'reserve'")
CANCEL = text(
    """
    UPDATE jobs SET cancel_asked = :now, cancel_answered = 0, due = CASE WHEN claimed = 1 THEN due ELSE :now END
     WHERE id = :id AND state IN ('queued', 'submitting', 'rendering', 'overdue')
    RETURNING state
    """
)
NEXT_DUE = text(
    """
    SELECT min(due) AS due FROM jobs
     WHERE state <> 'closed' AND chat IN :chats AND (CAST(:only AS TEXT) IS NULL OR id = :only)
    """
).bindparams(bindparam("chats", expanding=True))
RELEASE_CLAIMS = text(
    """
    UPDATE jobs SET claimed = 0,
           due = CASE WHEN state = 'replying' AND effect_started IS NOT NULL
                      THEN CASE WHEN due < :soon THEN due ELSE :soon END ELSE :now END
     WHERE state <> 'closed' AND (claimed = 1 OR due > :never)
    """
)
MARK_RESTORED = text(
    """
    UPDATE jobs SET restored = :now, due = :soon, claimed = 0, fence = fence + 1,
           state = CASE WHEN state = 'queued' THEN 'submitting' ELSE state END,
           effect_started = CASE WHEN state IN ('queued', 'submitting') THEN coalesce(effect_started, created)
                        WHEN state = 'replying' THEN coalesce(effect_started, :now) END
     WHERE state <> 'closed'
    """
)
UNFETCHED = text(
    """
    UPDATE jobs SET state = CASE WHEN late = 1 THEN 'overdue' ELSE 'rendering' END,
           outcome = NULL, detail = '{}', cost = NULL, settled = NULL, effect_started = NULL,
           due = :due, claimed = 0, fence = fence + 1, restored = coalesce(restored, :due)
     WHERE id = :id AND state = 'replying' AND ticket IS NOT NULL
    """
)
IDENTITY = text("SELECT instance, machine, inode FROM identity")
FORGET_IDENTITY = text("DELETE FROM identity")
WRITE_IDENTITY = text("INSERT INTO identity (instance, machine, inode) VALUES (:instance, :machine, :inode)")
REDELIVER = text(
    """
    UPDATE jobs SET state = :state, chat = :chat, address = :address, due = :due, effect_started = :effect_started,
           receipt = NULL, closed = NULL, undelivered_since = NULL, attempts = 0, claimed = 0, fence = fence + 1
     WHERE id = :id AND state = 'closed' AND outcome = 'rendered'
    """
)
WORDY = text("SELECT * FROM jobs WHERE state = 'closed' AND closed < :before AND prompt <> '' LIMIT 500")
UNWORD = text(
    "UPDATE jobs SET prompt = '', options = :options, fallbacks = :fallbacks WHERE id = :id AND state = 'closed'"
)
CLOSED_BEFORE = text("SELECT id FROM jobs WHERE state = 'closed' AND closed < :before")
UNDELIVERED = text(
    """
    SELECT * FROM jobs WHERE undelivered_since IS NOT NULL AND state = 'closed' ORDER BY closed DESC LIMIT :most
    """
)
COUNT_UNDELIVERED = text("SELECT count(*) AS jobs FROM jobs WHERE undelivered_since IS NOT NULL AND state = 'closed'")
GIVE_UP = text(
    """
    UPDATE jobs SET undelivered_since = NULL
     WHERE undelivered_since IS NOT NULL AND state = 'closed' AND closed < :before
    """
)
USAGE = text(
    """
    SELECT (SELECT count(*) FROM jobs WHERE requester = :who AND state NOT IN ('replying', 'closed')) AS open_jobs,
           (SELECT count(*) FROM jobs WHERE requester = :who AND created >= :since) AS recent_jobs,
           (SELECT coalesce(sum(amount), 0) FROM ledger WHERE requester = :who AND reserved_at >= :since) AS spent,
           (SELECT coalesce(sum(amount), 0) FROM ledger WHERE reserved_at >= :since) AS spent_by_all
    """
)
DURATIONS = text(
    """
    SELECT settled - coalesce(rendering_started, ticketed) AS seconds FROM jobs
     WHERE provider = :provider AND model = :model AND outcome = 'rendered' AND ticketed IS NOT NULL
     ORDER BY settled DESC LIMIT 200
    """
)
LIST = text(
    """
    SELECT * FROM jobs
     WHERE (CAST(:state AS TEXT) IS NULL OR state = :state)
       AND (CAST(:requester AS TEXT) IS NULL OR requester = :requester)
     ORDER BY created DESC LIMIT :most
    """
)
LIST_OPEN = text("SELECT * FROM jobs WHERE state <> 'closed' ORDER BY created")
TOTALS = text(
    """
    SELECT state, outcome, count(*) AS jobs, sum(CASE WHEN cost IS NULL THEN reserved ELSE 0 END) AS reserved,
           sum(coalesce(cost, 0)) AS spent
      FROM jobs GROUP BY state, outcome
    """
)
DUE_NOW = text("SELECT count(*) AS jobs FROM jobs WHERE state <> 'closed' AND due <= :now")
ADOPT = text(
    """
    UPDATE jobs SET state = 'rendering', ticket = :ticket, ticketed = :now, due = :now, fence = fence + 1, claimed = 0,
           attempts = 0, outcome = NULL, detail = '{}', cost = NULL, settled = NULL, effect_started = NULL, late = 1,
           receipt = NULL, closed = NULL, notices = :notices
     WHERE id = :id AND outcome = 'interrupted' AND ticket IS NULL
    """
)
UNBOOK = text("DELETE FROM ledger WHERE job = :id AND kind <> 'reserve'")
DUE_AGAIN = text("UPDATE jobs SET due = :now WHERE state <> 'closed' AND claimed = 0 AND due > :now")
NOTHING = text("SELECT 1")
IDS = text("SELECT id FROM jobs")
BY_ID = text("SELECT * FROM jobs WHERE id = :id")
BY_KEY = text("SELECT * FROM jobs WHERE key = :key")
STORY = text("SELECT * FROM history WHERE job = :job ORDER BY n")
