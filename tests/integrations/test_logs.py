"""The request scope in the log: by the standard library's filters and factories, and by structlog."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.config
import logging.handlers
import queue
import threading
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import pytest
import structlog
from pydantic import BaseModel

from instrument import PII, Scope, request_scope
from instrument.integrations.logs import ScopeFilter, scope_fields, scoped_records
from instrument.integrations.structlog import AddScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Plan(Enum):
    FREE = "free"


class Person(BaseModel):
    name: Annotated[str, PII("name")]


class LoggedScope(Scope):
    user_id: int
    logged_email: Annotated[str, PII("email", policy="keep")]
    logged_person: Person
    logged_tenant: UUID
    logged_day: date
    logged_price: Decimal
    logged_plan: Plan
    logged_tags: list[str]
    logged_open: bool
    message: str
    name: str


class Elsewhere(Scope):
    """Marks what another scope does not."""

    logged_nick: str


class Marking(Scope):
    logged_nick: Annotated[str, PII("nick")]


EVERYTHING: dict[str, Any] = {
    "user_id": 7,
    "logged_email": "secret@example.com",
    "logged_person": Person(name="Secret"),
    "logged_tenant": UUID(int=3),
    "logged_day": date(2026, 1, 2),
    "logged_price": Decimal("2.50"),
    "logged_plan": Plan.FREE,
    "logged_tags": ["secret"],
    "logged_open": True,
    "logged_nick": "secret",
}
SHOWN = {
    "user_id": 7,
    "logged_tenant": "00000000-0000-0000-0000-000000000003",
    "logged_day": "2026-01-02",
    "logged_price": "2.50",
    "logged_open": True,
}


class Kept(logging.Handler):
    """Keeps each record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def logger(handler: logging.Handler) -> logging.Logger:
    """Return a logger that nobody else knows."""
    log = logging.Logger("shop")  # noqa: LOG001
    log.addHandler(handler)
    return log


@pytest.fixture
def log(kept: Kept) -> logging.Logger:
    kept.addFilter(ScopeFilter())
    return logger(kept)


@pytest.fixture
def _factory() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """What a record has that no other has."""
    return {key: value for key, value in vars(record).items() if key in EVERYTHING or key in ("request_scope", "mine")}


def test_only_plain_values_that_are_not_personal_may_be_logged() -> None:
    with request_scope(**EVERYTHING):
        assert scope_fields() == SHOWN


def test_fields_may_be_chosen_and_personal_ones_not_even_so() -> None:
    with request_scope(**EVERYTHING):
        assert scope_fields(["user_id", "logged_email", "unknown"]) == {"user_id": 7}


def test_a_field_is_personal_once_any_scope_says_so() -> None:
    class Before(Scope):
        logged_phone: str

    with request_scope(logged_phone="secret"):
        assert scope_fields() == {"logged_phone": "secret"}

        class After(Scope):
            logged_phone: Annotated[str, PII("phone")]

        assert scope_fields() == {}


def test_a_scope_that_cannot_be_read_yet_keeps_its_fields_out_until_it_can() -> None:
    class Unread(Scope):
        logged_later: Later  # type: ignore[name-defined]  # noqa: F821

    with request_scope(logged_later="text"):
        assert scope_fields() == {}
        Unread.model_rebuild(_types_namespace={"Later": str})
        assert scope_fields() == {"logged_later": "text"}


def test_a_record_has_the_fields_of_the_innermost_scope(log: logging.Logger, kept: Kept) -> None:
    with request_scope(user_id=7, logged_open=True):
        log.warning("outer")
        with request_scope(user_id=8):
            log.warning("inner")
    log.warning("outside")
    assert [attributes(each) for each in kept.records] == [
        {"user_id": 7, "logged_open": True},
        {"user_id": 8, "logged_open": True},
        {},
    ]


def test_what_a_record_has_already_stays(log: logging.Logger, kept: Kept) -> None:
    with request_scope(user_id=7, name="secret", message="secret"):
        log.warning("%s paid", "Ada", extra={"user_id": 9, "mine": 1})
    (record,) = kept.records
    assert attributes(record) == {"user_id": 9, "mine": 1}
    assert (record.name, record.getMessage()) == ("shop", "Ada paid")
    assert logging.Formatter("%(name)s %(message)s").format(record) == "shop Ada paid"


def test_each_task_and_thread_logs_its_own_scope(log: logging.Logger, kept: Kept) -> None:
    def work(user: int) -> None:
        with request_scope(user_id=user):
            log.warning("%d", user)

    async def task(user: int) -> None:
        with request_scope(user_id=user):
            await asyncio.sleep(0)
            log.warning("%d", user)

    async def tasks() -> None:
        await asyncio.gather(*map(task, range(10)))

    asyncio.run(tasks())
    threads = [threading.Thread(target=work, args=(user,)) for user in range(10, 20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted((attributes(each)["user_id"], each.getMessage()) for each in kept.records) == [
        (user, str(user)) for user in range(20)
    ]


def test_a_handler_that_hands_over_to_a_thread_takes_the_scope_along(kept: Kept) -> None:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(waiting)
    handler.addFilter(ScopeFilter())
    log = logger(handler)
    listener = logging.handlers.QueueListener(waiting, kept)
    listener.start()
    with request_scope(user_id=7):
        log.warning("paid")
    listener.stop()
    assert [attributes(each) for each in kept.records] == [{"user_id": 7}]


def test_a_configuration_by_dictionary_can_name_it() -> None:
    configured = {"()": "instrument.integrations.logs.ScopeFilter", "names": ["user_id"]}
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    # As `dictConfig` makes it, which would also close the handlers of everybody else.
    handler.addFilter(logging.config.DictConfigurator({}).configure_filter(configured))
    handler.setFormatter(logging.Formatter("%(user_id)s %(message)s", defaults={"user_id": "-"}))
    log = logger(handler)
    with request_scope(**EVERYTHING):
        log.warning("paid")
    log.warning("idle")
    assert stream.getvalue() == "7 paid\n- idle\n"


@pytest.mark.usefixtures("_factory")
def test_the_factory_of_records_gives_the_fields_as_one_attribute(kept: Kept) -> None:
    log = logger(kept)
    logging.setLogRecordFactory(scoped_records())
    with request_scope(**EVERYTHING):
        log.warning("paid", extra={"user_id": 9})
    log.warning("idle")
    assert [attributes(each) for each in kept.records] == [
        {"request_scope": SHOWN, "user_id": 9},
        {"request_scope": {}},
    ]


@pytest.mark.usefixtures("_factory")
def test_the_factory_goes_on_to_use_the_one_before(kept: Kept) -> None:
    def mine(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        record.mine = 1
        return record

    log = logger(kept)
    logging.setLogRecordFactory(mine)
    logging.setLogRecordFactory(scoped_records(names=["user_id"]))
    with request_scope(**EVERYTHING):
        log.warning("paid")
    assert [attributes(each) for each in kept.records] == [{"mine": 1, "request_scope": {"user_id": 7}}]


@pytest.fixture
def structured() -> Iterator[tuple[Any, Callable[[], list[dict[str, Any]]]]]:
    """A logger of structlog, and what it wrote."""
    stream = io.StringIO()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, AddScope(), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    yield structlog.get_logger(), lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_structlog_adds_the_fields_to_each_event(structured: tuple[Any, Callable[[], list[dict[str, Any]]]]) -> None:
    log, lines = structured
    with request_scope(**EVERYTHING):
        log.info("paid", amount=3)
        log.bind(logged_open=False).info("bound", user_id=9)
    log.info("idle")
    assert lines() == [
        {"event": "paid", "amount": 3, **SHOWN},
        {"event": "bound", **SHOWN, "logged_open": False, "user_id": 9},
        {"event": "idle"},
    ]


async def test_structlog_adds_them_to_what_is_logged_asynchronously(
    structured: tuple[Any, Callable[[], list[dict[str, Any]]]],
) -> None:
    log, lines = structured
    with request_scope(user_id=7):
        await log.ainfo("paid")
    assert lines() == [{"event": "paid", "user_id": 7}]


def test_structlog_adds_only_the_fields_that_are_chosen() -> None:
    with request_scope(**EVERYTHING):
        assert AddScope(["user_id"])(None, "info", {"event": "paid"}) == {"event": "paid", "user_id": 7}
