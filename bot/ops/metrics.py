"""Writes the metrics as Prometheus reads them. Loaded for the first scrape: a bot that nobody scrapes spares it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.chats.contract import Chat
from bot.domain.job import Outcome, State
from bot.ops.counters import Counters
from bot.store.contract import Total

DOLLAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says: the same to every process that shares it."""

    totals: Sequence[Total]
    due: int
    undelivered: int = 0


class Page(Collector):
    """One scrape. `books` None: the database does not answer, and its numbers are left out."""

    def __init__(self, counters: Counters, chats: Collection[Chat], books: Books | None) -> None:
        self._counters = counters
        self._chats = chats
        self._books = books

    def text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("zoetrope_database_up", "1 if the database answers", float(self._books is not None))
        if self._books is not None:
            yield from _of_books(self._books)
        chats = GaugeMetricFamily("zoetrope_chat_connected", "1 if the chat is connected", labels=["chat"])
        for chat in self._chats:
            chats.add_metric([chat.name], float(chat.connected))
        yield chats
        yield from _of_process(self._counters)


def _of_books(books: Books) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("zoetrope_jobs", "Jobs by state and outcome", labels=["state", "outcome"])
    counts = {(state.value, ""): 0 for state in State if state not in {State.REPLYING, State.CLOSED}}
    counts |= {(state.value, outcome.value): 0 for state in (State.REPLYING, State.CLOSED) for outcome in Outcome}
    counts |= {(total.state, total.outcome or ""): total.jobs for total in books.totals}
    for (state, outcome), number in counts.items():
        jobs.add_metric([state, outcome], number)
    yield jobs
    yield GaugeMetricFamily("zoetrope_queue_length", "Jobs that are due and that no worker has taken", books.due)
    yield GaugeMetricFamily(
        "zoetrope_jobs_undelivered", "Jobs that are over with a video that could not be posted", books.undelivered
    )
    reserved = sum(total.reserved for total in books.totals) / DOLLAR
    yield GaugeMetricFamily("zoetrope_money_reserved_dollars", "Prices of jobs whose cost is not known yet", reserved)
    spent = sum(total.spent for total in books.totals) / DOLLAR
    yield CounterMetricFamily("zoetrope_money_spent_dollars", "What all jobs ever have cost", spent)


def _of_process(counters: Counters) -> Iterator[Metric]:
    stages = HistogramMetricFamily(
        "zoetrope_stage_seconds", "How long jobs were in each stage", labels=["stage", "provider"]
    )
    for labels, spread in counters.stages.items():
        stages.add_metric(labels, spread.up_to(), spread.total)
    yield stages
    polls = CounterMetricFamily("zoetrope_looks", "Looks at providers", labels=["provider"])
    for provider, number in counters.polls.items():
        polls.add_metric([provider], number)
    yield polls
    errors = CounterMetricFamily("zoetrope_provider_errors", "Errors of providers", labels=["provider", "remedy"])
    for names, number in counters.errors.items():
        errors.add_metric(names, number)
    yield errors
    lag = HistogramMetricFamily("zoetrope_event_loop_lag_seconds", "How late each beat of the event loop came")
    lag.add_metric([], counters.lag.up_to(), counters.lag.total)
    yield lag
