"""What the chaos left: rows, the vendor's and the chat's own books, and what of it must be zero."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

SHOWN = ("jobs", "cancelled", "late", "charges", "charged_twice", "posts", "posted_twice", "lost", "unknown", "open")


@dataclass
class Count:
    """What happened to the jobs of one kind of vendor and chat."""

    jobs: int = 0
    cancelled: int = 0  # ended as cancelled
    late: int = 0  # told as late, then delivered
    charges: int = 0
    posts: int = 0
    longest: float = 0.0  # seconds of the workers' clock until closed
    unknown: int = 0  # told as "may have been charged"
    charged_twice: int = 0
    posted_twice: int = 0
    lost: int = 0  # a video that was paid for and made but never arrived, or a person who was never told
    under_billed: int = 0  # our books say less than the vendor's
    wrongly_unknown: int = 0  # unknown, though the vendor could be asked
    open: int = 0

    def flaws(self) -> int:
        must_be_zero = fields(self)[[f.name for f in fields(self)].index("charged_twice") :]
        return sum(getattr(self, one.name) for one in must_be_zero)


@dataclass
class Verdict:
    kinds: dict[tuple[str, str], Count] = field(default_factory=dict)
    cancels: Mapping[str, int] = field(default_factory=dict)  # by the state in which they came
    troubles: list[str] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)  # the histories of the jobs that went wrong

    def flaws(self) -> int:
        return sum(count.flaws() for count in self.kinds.values()) + len(self.troubles)


def judge(database: Path, books: Mapping[str, Any], bugs: Path) -> Verdict:
    verdict = Verdict()
    with closing(sqlite3.connect(database)) as rows:
        rows.row_factory = sqlite3.Row
        whole = rows.execute("PRAGMA integrity_check").fetchone()[0]
        if whole != "ok":
            verdict.troubles.append(f"the database is damaged: {whole}")
        spent = dict(rows.execute("SELECT job, amount FROM ledger WHERE kind = 'settle'").fetchall())
        for job in rows.execute("SELECT * FROM jobs ORDER BY id"):
            count = verdict.kinds.setdefault((job["provider"], job["chat"]), Count())
            before = count.flaws()
            _add(count, job, books, spent.get(job["id"], 0))
            if count.flaws() > before:
                verdict.stories.append(_story(rows, job, books))
        asked = "SELECT state FROM history WHERE event = 'CancelAsked'"
        verdict.cancels = Counter(row["state"] for row in rows.execute(asked))
    if bugs.exists():
        verdict.troubles.append(f"a worker met a bug:\n{bugs.read_text()[:4000]}")
    return verdict


def _add(count: Count, job: sqlite3.Row, books: Mapping[str, Any], spent: int) -> None:
    charges = [one for one in books["vendor"] if one["key"] == job["id"]]
    keys = (job["id"], f"{job['id']}-late", f"{job['id']}-adopted")
    answers, late_posts, corrections = (books["posts"].get(key, []) for key in keys)
    posts = [*answers, *corrections]  # whose ticket came after all is told once more, with the video
    closed, unknown = job["state"] == "closed", job["outcome"] == "interrupted"
    made = any(one["makes"] for one in charges)
    count.jobs += 1
    count.cancelled += job["outcome"] == "cancelled"
    count.late += bool(job["late"])
    count.charges += len(charges)
    count.posts += len(posts)
    count.unknown += unknown
    count.open += not closed
    count.charged_twice += len(charges) > 1
    count.posted_twice += sum(len(told) > 1 for told in (answers, late_posts, corrections))
    count.lost += closed and (not posts or (made and not any(posts) and not unknown))
    count.under_billed += closed and spent < sum(one["billed"] for one in charges)
    count.wrongly_unknown += unknown and job["provider"] != "none"
    count.longest = max(count.longest, (job["closed"] or job["created"]) - job["created"])


def _story(rows: sqlite3.Connection, job: sqlite3.Row, books: Mapping[str, Any]) -> str:
    told = rows.execute("SELECT at, event, state, detail FROM history WHERE job = ? ORDER BY n", (job["id"],))
    charges = [one for one in books["vendor"] if one["key"] == job["id"]]
    head = f"{job['id']} at {job['provider']}/{job['chat']}: {job['state']}, {job['outcome']}; charges {charges}, "
    lines = [f"  {row['at'] - job['created']:8.2f} {row['event']:11} {row['state']} {row['detail']}" for row in told]
    return "\n".join([head + f"posts {books['posts'].get(job['id'])}", *lines])


def table(counts: Iterable[tuple[tuple[str, str], Count]], speed: float) -> str:
    lines = [f"{'vendor':8} {'chat':8} " + "  ".join(name.replace("_", " ") for name in SHOWN) + "  longest s"]
    for (vendor, chat), count in counts:
        values = "  ".join(f"{getattr(count, name):>{len(name)}}" for name in SHOWN)
        lines.append(f"{vendor:8} {chat:8} {values} {count.longest / speed:10.1f}")
    return "\n".join(lines)
