"""Runs one transaction for all who ask at once, on any engine of SQLAlchemy."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import TextClause
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.domain.job import Job, State
from bot.store import sql
from bot.store.contract import Lost
from bot.store.rows import json_text

T = TypeVar("T")


class Transaction:
    """One open transaction that several callers share; history and money go in with it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._notes: list[dict[str, Any]] = []
        self._money: list[dict[str, Any]] = []

    async def change(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        return (await self._connection.execute(statement, values)).rowcount

    async def change_all(self, statement: TextClause, values: Sequence[Mapping[str, Any]]) -> None:
        await self._connection.execute(statement, values)

    async def rows(self, statement: TextClause, values: Mapping[str, Any]) -> list[RowMapping]:
        return list((await self._connection.execute(statement, values)).mappings())

    def note(self, job: str, at: float, name: str, state: State, detail: Mapping[str, Any]) -> None:
        self._notes.append({"job": job, "at": at, "event": name, "state": state, "detail": json_text(detail)})

    def money(self, job: Job, at: float, kind: str, amount: int) -> None:
        values = {"job": job.id, "kind": kind, "amount": amount, "requester": job.requester, "at": at}
        self._money.append(values | {"reserved_at": job.created})

    async def finish(self) -> None:
        """Write what was noted so far."""
        notes, self._notes = self._notes, []
        money, self._money = self._money, []
        if notes:
            await self._connection.execute(sql.HISTORY, notes)
        if money:
            await self._connection.execute(sql.LEDGER, money)


class Writer:
    """Runs work in transactions: what is asked for while one runs shares the next, and its one fsync."""

    def __init__(self, engine: AsyncEngine, explain: Callable[[DatabaseError], Exception]) -> None:
        self._engine = engine
        self._explain = explain  # what this engine's errors mean for us
        self._queue: list[tuple[Callable[[Transaction], Awaitable[Any]], asyncio.Future[Any]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._draining is not None:
            await self._draining
        await self._engine.dispose()

    async def do(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run the work and return its answer once it is on disk. Raises `StoreBusy`, `StoreBroken`."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for it
                if len(batch) == 1:
                    self._fail(batch[0][1], error)
                    continue
                for one in batch:  # each alone, so that one caller's trouble is not everybody's
                    try:
                        await self._commit([one])
                    except Exception as own:  # noqa: BLE001 - the same
                        self._fail(one[1], own)

    async def _commit(
        self, works: Sequence[tuple[Callable[[Transaction], Awaitable[Any]], asyncio.Future[Any]]]
    ) -> None:
        answers: list[Any] = []
        async with self._engine.begin() as connection:
            batch = Transaction(connection)
            for work, _ in works:
                try:
                    answers.append(await work(batch))
                except Lost as lost:  # changed nothing
                    answers.append(lost)
            await batch.finish()
        for (_, done), answer in zip(works, answers, strict=True):
            if not done.done():
                done.set_exception(answer) if isinstance(answer, Lost) else done.set_result(answer)

    def _fail(self, done: "asyncio.Future[Any]", error: Exception) -> None:
        if not done.done():
            done.set_exception(self._explain(error) if isinstance(error, DatabaseError) else error)
