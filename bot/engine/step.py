"""Moves one job by one step. Its life reads from top to bottom here, and all that a step decides stands here.

Between any two lines the power may go. So whatever must not happen twice (a paid submission, a post) is announced in
the database first (`start_effect`), done only while the job is surely ours (`within`), and looked for before it is
repeated.
"""

# Long because one life is read from top to bottom: cut in two, its decisions would stand in two places.

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from bot.chats.contract import ChatBusy, ChatError, ChatGone, ChatUnsure, Reply, Status, TooBig
from bot.desk import actions
from bot.domain.job import (
    ADOPTED,
    GONE,
    Closed,
    FellBack,
    Job,
    Outcome,
    ReportedOverdue,
    Retried,
    Settled,
    State,
    Ticketed,
    Waited,
)
from bot.domain.line import Line
from bot.domain.policy import DAY
from bot.engine import pacing, places
from bot.engine.lease import Lease, StandDown
from bot.engine.tools import Tools
from bot.files.contract import Missing
from bot.media.films import BadVideo
from bot.media.sandbox.process import SandboxBroke
from bot.store.contract import Lost
from bot.text import sentences
from providers.atomic import NoSpace
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Progress,
    ProviderError,
    Reason,
    Recovery,
    Refused,
    Role,
    Ticket,
    Unsure,
    VideoProvider,
    Waiting,
)

# A decision over a paid job takes what was observed, never a clock's reading alone: so many answers, and the time.
FORGOTTEN_ENOUGH = 45  # times in a row that its provider does not know a ticket: three hours of asking
OVERDUE_ENOUGH = 200  # polls of a late video
SEARCHED_ENOUGH = 30  # times that a search for a submission found nothing: five minutes of asking
DOUBTED_ENOUGH = 12  # attempts to learn whether a submission was accepted
GONE_ENOUGH = 100  # times that a place says it is gone: eight hours of asking at least
SMALLER_AFTER, WORDS_AFTER = 20, 30  # attempts to post a video: an hour and two
LONGEST_PAUSE = 300.0  # seconds: trouble that has ended is forgotten within ten minutes
SOON = 60.0  # seconds; for a provider that wants us back later than that, another one may do it

log = logging.getLogger("zoetrope.job")
T = TypeVar("T")


class Step:
    """The one move of one claimed job, until `lease_end` on our own monotonic clock."""

    def __init__(self, tools: Tools, job: Job, lease_end: float) -> None:
        self._lease = Lease(tools.store, tools.clock, job, lease_end)
        self._tools = tools
        self._clock = tools.clock
        self._times = tools.times
        self._spec = tools.spec(job)
        self._provider = tools.providers.get(job.provider)
        self._chat = tools.chats[job.chat]
        self._address = job.address

    @property
    def job(self) -> Job:
        """The job as far as this step has brought it."""
        return self._lease.job

    async def take(self) -> None:
        """Move the job on, or leave it to whoever has it now."""
        moves = {
            State.QUEUED: self._queued,
            State.SUBMITTING: self._submitting,
            State.RENDERING: self._rendering,
            State.OVERDUE: self._rendering,
            State.REPLYING: self._replying,
        }
        try:
            await moves[self.job.state]()
        except (Lost, StandDown) as reason:
            log.info("job %s: standing down (%s)", self.job.id, type(reason).__name__)

    async def _queued(self) -> None:
        job = self.job
        fresh = job.effect_started is None  # else the same key may be known to the provider already
        moved = max(job.created, job.shown)  # when the line last did
        if fresh and job.to_cancel:
            return await self._settle(Outcome.CANCELLED, charged=False)
        if fresh and self._clock.now() > moved + self._times.queue_patience:
            return await self._settle(Outcome.UNAVAILABLE)
        if self._gave_up():
            return await self._settle(Outcome.INTERRUPTED, job.price)
        if self._provider is None:
            return await self._no_provider()
        request = self._request()
        if request is None:
            return await self._settle(Outcome.REFUSED, reason=Reason.PICTURE, which="picture", charged=not fresh)
        line = await self._take_place(fresh=fresh)
        if line is not None:
            return await self._stand_in_line(line)
        await self._submit(self._provider, request, fresh=fresh)

    async def _take_place(self, *, fresh: bool) -> Line | None:
        if fresh:
            return await self._lease.take_place(self._times.submit, self._tools.places.get(self.job.provider))
        await self._lease.start_effect(self._times.submit)  # it may hold its place already
        return None

    async def _stand_in_line(self, line: Line) -> None:
        """Wait for a place. Whoever leaves one wakes the oldest; asking again is in case nobody could."""
        now = self._clock.now()
        if now > self.job.created + SOON and await self._fall_back():
            return
        await self._wait(Waiting(line.ahead), now + places.pause(line.ahead))

    async def _submit(self, provider: VideoProvider, request: AnimationRequest, *, fresh: bool) -> None:
        key = self.job.id
        try:
            ticket = await self._lease.within(self._times.submit, lambda: provider.submit(request, key))
        except StandDown:
            await self._lease.record(Retried(self._clock.now() + 1, "woke up too late", unsure=not fresh))
        except Busy as busy:
            again = self.job.attempts > 0 or (busy.retry_after or 0) > SOON
            if not (again and await self._fall_back()):
                await self._retry(busy, unsure=not fresh)
        except Refused as no:
            await self._refused(no)
        except Misconfigured as wrong:
            log.error("job %s: %s", key, wrong)  # noqa: TRY400 - the sentence says what to do
            if not fresh:
                await self._retry(wrong, unsure=True)
            elif not await self._fall_back():
                await self._settle(Outcome.MISCONFIGURED)
        except (Unsure, TimeoutError) as lost:
            log.warning("job %s: the answer to its submission was lost (%s)", key, type(lost).__name__)
            await self._submitting()
        else:
            await self._ticketed(ticket)

    async def _fall_back(self) -> bool:
        """Turn to somebody else who makes this model; never back, nor once an answer was lost (see `_resend`)."""
        to = next((other for other in self.job.fallbacks if other.provider in self._tools.providers), None)
        if to is None:
            return False
        log.warning("job %s: %s can't take it; %s will", self.job.id, self.job.provider, to.provider)
        await self._lease.record(FellBack(self._clock.now(), to))
        await self._show()
        return True

    async def _ticketed(self, ticket: Ticket) -> None:
        try:
            await self._lease.record(Ticketed(ticket, self._clock.now() + await self._next_gap()))
        except Lost:
            log.warning("job %s: it was taken from this process while it was handed over", self.job.id)
            if await self._tools.store.adopt(self.job.id, ticket):
                log.warning("job %s: it had been told as interrupted; its video will be posted", self.job.id)
            raise
        await self._show()

    async def _submitting(self) -> None:
        """Money may have been spent, and we hold no ticket: after a crash, or after a lost answer."""
        provider, now = self._provider, self._clock.now()
        began = min(self.job.effect_started or now, now)  # a clock that was set back may call it the future
        if provider is None:
            return await self._no_provider()
        if provider.recovery is Recovery.NONE:
            return await self._settle(Outcome.INTERRUPTED, self.job.price)
        if provider.recovery is Recovery.RESEND:
            return await self._resend("the answer was lost; the same key is safe to send again", unsure=True)
        try:
            ticket = await self._poll(lambda: provider.find(self.job.id, began))
        except (Busy, Misconfigured) as error:
            log.debug("job %s: can't search for its submission: %s", self.job.id, error)
            if self._gave_up():
                return await self._settle(Outcome.INTERRUPTED, self.job.price)
            return await self._lease.record(Waited(now + _pause(self._times.appears_within, self.job.polls)))
        if ticket is not None:
            await self._lease.record(Ticketed(ticket, now))
        elif self._may_yet_appear(began, now):
            await self._lease.record(Waited(now + self._times.appears_within / 3))
        else:
            await self._resend("it was never accepted")

    def _may_yet_appear(self, began: float, now: float) -> bool:
        """Say whether its provider's list may still lag behind."""
        since = max(began, min(self.job.restored or 0, now))
        return now < since + self._times.submit + self._times.appears_within and self.job.polls < SEARCHED_ENOUGH

    async def _resend(self, why: str, *, unsure: bool = False) -> None:
        if self.job.restored is not None and self.job.fallbacks:  # since the backup, another may have it
            return await self._settle(Outcome.INTERRUPTED, self.job.price)
        await self._lease.record(Retried(self._clock.now(), why, unsure=unsure, pinned=True))

    def _gave_up(self) -> bool:
        """Nobody could say in all that time whether the submission was accepted, though it was asked often enough."""
        since = max(self.job.effect_started or math.inf, self.job.restored or 0)  # in a backup nobody could ask
        asked = max(self.job.attempts, self.job.polls)
        return asked >= DOUBTED_ENOUGH and self._clock.now() > since + self._times.queue_patience

    async def _rendering(self) -> None:
        """We hold a ticket, in time or overdue: looking is free."""
        provider, ticket = self._provider, self.job.ticket
        if provider is None or ticket is None:
            return await self._no_provider()
        try:
            if self.job.to_cancel:
                return await self._cancel(await self._poll(lambda: provider.cancel(ticket)))
            progress = await self._poll(lambda: provider.check(ticket))
        except Refused as no:
            return await self._refused(no)
        except (Busy, Misconfigured) as error:
            return await self._retry_or_report(error)
        if isinstance(progress, Finished):
            await self._collect(provider, progress)
        elif self._past_deadline():
            await self._report_overdue()
        else:
            await self._wait(progress, self._clock.now() + await self._next_gap(progress))

    async def _cancel(self, answer: Cancelled) -> None:
        if answer is Cancelled.TOO_LATE:
            await self._lease.record(Waited(self._clock.now(), cancel_answered=True))
            return await self._show()
        charged = answer is Cancelled.CHARGED
        await self._settle(Outcome.CANCELLED, self.job.price if charged else 0, charged=charged)

    async def _collect(self, provider: VideoProvider, done: Finished) -> None:
        path = self._tools.files.video(self.job.id)
        await self._lease.extend(self._times.fetch + self._times.fit)
        try:
            await self._lease.within(self._times.fetch, lambda: provider.fetch(done.source, path))
            clip = await self._lease.within(self._times.fit, lambda: self._tools.video.prepare(path))
        except (Busy, Misconfigured, BadVideo, SandboxBroke, NoSpace, TimeoutError, OSError) as error:
            if isinstance(error, BadVideo) and self.job.state is State.OVERDUE and self.job.attempts >= 5:
                return await self._settle(
                    Outcome.REFUSED, self.job.price, reason=Reason.FAILED, charged=True, unsure=done.cost is None
                )
            return await self._retry_or_report(error)
        size = {"seconds": clip.seconds, "width": clip.width, "height": clip.height, "bytes": clip.size}
        cost = self.job.price if done.cost is None else done.cost
        await self._settle(Outcome.RENDERED, cost, note=done.note, **size)

    async def _wait(self, progress: Progress, due: float) -> None:
        if not self._is_news(progress, self._clock.now()):
            return self._tools.idle_polls.append((self.job, due))
        await self._lease.record(Waited(due, progress))
        await self._show()

    async def _report_overdue(self) -> None:
        """Say that it takes too long, once; the ticket still stands, and a late video still arrives."""
        now, asked = self._clock.now(), self.job.ticketed or 0
        if self.job.state is State.OVERDUE:
            if self.job.polls >= OVERDUE_ENOUGH and now > asked + self._times.forgotten_after:
                return await self._settle(Outcome.TIMED_OUT, self.job.price)
            return await self._lease.record(Waited(now + min(max(60.0, (now - asked) / 10), 600.0)))
        reply = Reply(sentences.overdue(self.job), mention=self.job.requester, actions=actions.offered(self.job))
        await self._lease.extend(self._times.post)
        try:
            await self._post(reply, f"{self.job.id}-late", again=True)
        except (ChatBusy, ChatUnsure) as error:
            return await self._retry(error)
        except ChatGone:
            log.info("job %s: nobody there to be told that it is late", self.job.id)
        await self._lease.record(ReportedOverdue(now + 60))

    async def _replying(self) -> None:
        """Tell it, once: the outcome and the file are here."""
        again = self.job.effect_started is not None
        try:
            receipt, undelivered = await self._tell(again=again)
        except StandDown:
            return await self._lease.record(Retried(self._clock.now() + 1, "woke up too late", unsure=again))
        except ChatBusy as error:
            return await self._retry(error, unsure=again)
        except ChatUnsure as error:
            return await self._retry(error, unsure=True)
        except ChatGone as error:
            if self.job.outcome is Outcome.RENDERED and not self._is_gone_for_good():
                return await self._retry(error, gone=True)
            log.warning("job %s: nobody left to tell: %s", self.job.id, error)
            receipt, undelivered = GONE, self.job.outcome is Outcome.RENDERED
        await self._lease.record(Closed(receipt, undelivered))
        if undelivered:
            log.critical("job %s: its video could not be posted; `zoetrope jobs --undelivered` lists it", self.job.id)
        await self._show()

    def _is_gone_for_good(self) -> bool:
        """Say whether the place has said so for a day, whenever it was asked."""
        since = self.job.undelivered_since
        return self.job.attempts >= GONE_ENOUGH and since is not None and self._clock.now() > since + DAY

    async def _tell(self, *, again: bool) -> tuple[str, bool]:
        """Return the platform's id of the answer, and whether it went without the video."""
        limit = self._modest(await self._limit())
        for last in (False, False, True, True):  # the last one is words alone
            reply = await self._reply(limit)
            await self._lease.start_effect(self._times.post)
            try:
                receipt = await self._post(reply, self._post_key(), again=again)
            except TooBig as smaller:
                log.info("job %s: the video was %s", self.job.id, smaller)
                limit = 0 if last or smaller.limit == limit else smaller.limit
            else:
                return receipt, self.job.outcome is Outcome.RENDERED and reply.video is None
        raise ChatBusy("the platform says that words alone are too big")

    def _post_key(self) -> str:
        """Return what names the answer, so that an earlier try is found: one that corrects another has its own."""
        return f"{self.job.id}-adopted" if ADOPTED in self.job.notices else self.job.id

    def _modest(self, limit: int | None) -> int | None:
        """Return a smaller limit, and in the end none at all, for a place that has refused the video for hours."""
        if self.job.outcome is not Outcome.RENDERED or self.job.undelivered_since is not None:
            return limit
        if self.job.attempts >= WORDS_AFTER:
            return 0
        half = int(self.job.detail["bytes"]) // 2
        return min(limit or half, half) if self.job.attempts >= SMALLER_AFTER else limit

    async def _limit(self) -> int | None:
        if self.job.outcome is not Outcome.RENDERED:
            return None
        await self._lease.extend(self._times.poll)
        try:
            return await self._lease.within(self._times.poll, lambda: self._chat.upload_limit(self._address))
        except (ChatUnsure, TimeoutError) as error:
            raise ChatBusy("the upload limit can't be asked now") from error

    async def _reply(self, limit: int | None) -> Reply:
        job, offered, words = self.job, actions.offered(self.job), sentences.answer(self.job)
        if job.outcome is not Outcome.RENDERED:
            return Reply(words, mention=job.requester, actions=offered)
        video: Path | None = self._tools.files.video(job.id)
        if limit is not None and job.detail["bytes"] > limit:
            video = await self._fitted(limit)
        if video is None:
            words = f"{words}\n{sentences.too_big_to_post(limit or 0, job.locale)}"
        return Reply(words, video, offered, job.requester, job.prompt)

    async def _fitted(self, limit: int) -> Path | None:
        into = self._tools.files.fitted(self.job.id, limit)
        await self._lease.extend(self._times.fit)
        try:
            await self._lease.within(
                self._times.fit, lambda: self._tools.video.fit(self._tools.files.video(self.job.id), limit, into)
            )
        except BadVideo as error:
            log.warning("job %s: its video can't be made to fit %d bytes: %s", self.job.id, limit, error)
            return None
        except (SandboxBroke, NoSpace, TimeoutError, OSError) as error:
            log.warning("job %s: its video can't be made smaller now: %s: %s", self.job.id, type(error).__name__, error)
            raise ChatBusy("the video could not be made smaller now") from error
        return into

    async def _refused(self, no: Refused) -> None:
        log.info("job %s: refused (%s)", self.job.id, no.reason)
        forgotten = no.reason is Reason.FORGOTTEN
        if forgotten and self.job.forgotten < FORGOTTEN_ENOUGH:
            return await self._retry(no, forgotten=True)  # a gateway's "not found", or a vendor's for a while
        told: dict[str, object] = {"charged": no.charged or forgotten, "unsure": forgotten}
        cost = self.job.price if told["charged"] else 0
        if self.job.cancel_asked is not None and self.job.ticket is not None:
            await self._settle(Outcome.CANCELLED, cost, **told)
        else:
            await self._settle(Outcome.REFUSED, cost, reason=no.reason, which=no.which, **told)

    async def _no_provider(self) -> None:
        """Nothing is lost: the operator may put it back."""
        gone = Misconfigured(f"the provider {self.job.provider!r} is not configured")
        now = self._clock.now()
        if self.job.state is State.QUEUED and self.job.effect_started is None:
            if not await self._fall_back():
                await self._settle(Outcome.MISCONFIGURED)
        elif self.job.state is State.QUEUED or (self.job.state is State.SUBMITTING and self._gave_up()):
            await self._settle(Outcome.INTERRUPTED, self.job.price)
        elif self.job.state is State.SUBMITTING:
            await self._lease.record(Waited(now + 60))
        else:
            await self._retry_or_report(gone)
        log.error("job %s: %s", self.job.id, gone)

    def _request(self) -> AnimationRequest | None:
        try:
            first, last = self._tools.files.pictures(self.job.id)
        except Missing:
            return None
        ours = {option.name for option in fields(AnimationRequest)} - {"prompt", "inputs", "model", "options"}
        options = {name: value for name, value in self.job.options.row().items() if name in ours}
        inputs = {Role.FIRST: first} if last is None else {Role.FIRST: first, Role.LAST: last}
        return AnimationRequest(self.job.prompt, inputs, self._spec, options=self.job.options.beyond(), **options)

    async def _settle(self, outcome: Outcome, cost: int = 0, **detail: object) -> None:
        await self._lease.record(Settled(outcome, detail, cost))

    async def _retry(
        self, error: Exception, *, unsure: bool = False, forgotten: bool = False, gone: bool = False
    ) -> None:
        outside = isinstance(error, ProviderError | ChatError)  # such trouble is logged when it begins and ends
        level, why = logging.DEBUG if outside else logging.WARNING, type(error).__name__
        log.log(level, "job %s: %s: %s", self.job.id, why, error)
        due = self._clock.now() + max(_pause(2.0, self.job.attempts), getattr(error, "retry_after", None) or 0.0)
        await self._lease.record(Retried(due, why, unsure=unsure, forgotten=forgotten, gone=gone))

    async def _retry_or_report(self, error: Exception) -> None:
        """Try again later; once, when that makes the video late, say so instead. What gave no answer is no evidence."""
        late = self._past_deadline() and self.job.state is not State.OVERDUE
        await (self._report_overdue() if late else self._retry(error))

    async def _poll(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the provider what costs nothing. No answer in time is `Busy`."""
        await self._lease.extend(self._times.poll)
        try:
            return await self._lease.within(self._times.poll, call)
        except TimeoutError as error:
            raise Busy("no answer in time") from error

    async def _post(self, reply: Reply, key: str, *, again: bool) -> str:
        deliver = self._chat.deliver
        try:
            return await self._lease.within(self._times.post, lambda: deliver(self._address, reply, key, again=again))
        except TimeoutError as error:
            raise ChatUnsure("no answer in time") from error

    async def _show(self) -> None:
        status = await self._status()
        try:
            await self._clock.within(self._times.show, self._chat.show(self._address, status))
        except (ChatError, TimeoutError) as error:
            log.info("job %s: its status could not be shown: %s", self.job.id, error)

    async def _status(self) -> Status:
        job, now = self.job, self._clock.now()
        status, since = sentences.status(job, now), self._rendering_started(job.progress)
        if job.outcome is None:  # an end is told in a reply, which has its own
            status = replace(status, actions=actions.offered(job))
        if job.state is not State.RENDERING or since is None:
            return status
        expected = since + (await self._tools.habit(self._spec)).usual
        return replace(status, since=since, expected=expected if expected > now else None)

    async def _next_gap(self, progress: Progress | None = None) -> float:
        """Return seconds until the next poll."""
        now = self._clock.now()
        age, waited = now - (self._rendering_started(progress) or now), now - (self.job.ticketed or now)
        habit, floor = await self._tools.habit(self._spec), self._spec.poll_floor
        return pacing.gap(habit, age, floor, self._times.per_poll, waited)

    def _rendering_started(self, progress: Progress | None) -> float | None:
        """Return when rendering started; in the provider's queue it has yet to."""
        return None if isinstance(progress, Waiting) else self.job.rendering_started or self.job.ticketed

    def _past_deadline(self) -> bool:
        """Count from the start of rendering: the provider's queue is not the video's fault."""
        start = self.job.rendering_started
        if start is None:
            start = (self.job.ticketed or self._clock.now()) + self._times.queue_patience
        return self._clock.now() > start + self._spec.deadline_seconds

    def _is_news(self, progress: Progress, now: float) -> bool:
        before = self.job.progress
        if type(before) is not type(progress):
            return True
        return before != progress and now >= self.job.shown + self._chat.edit_every


def _pause(first: float, tries: int) -> float:
    """Return the seconds before the next of so many tries: twice as long each time, up to the longest."""
    return min(first * 2.0 ** min(tries, 10), LONGEST_PAUSE)
