"""What becomes of an answer before it is sent: overridden cards stay quiet, and what is shown is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from cards.rule import NOT_EVALUATED_TOPIC, Level, NotEvaluated
from service.clients.replay import StoreUnavailable
from service.present import Card
from service.respond import Answer, HookCall, Spoken
from service.store.ledger import CallNoted, CardShown, Delivery, Gap, Ledger
from service.store.memory import Memory

# Of the card that names what could not be checked; it is no rule and has no version of its own.
_OPEN_QUESTIONS_VERSION = 1


class Bookkeeping:
    """Enters answers in the ledger. `memory` is needed when the ledger remembers overrides; `now` has a time zone."""

    def __init__(self, ledger: Ledger, memory: Memory | None, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._memory = memory if ledger.remembers_overrides else None
        self._now = now

    def without_memory(self) -> Bookkeeping:
        """The same books, in which no override is remembered."""
        return Bookkeeping(self._ledger, None, self._now)

    async def enter(self, client: str, call: HookCall, answer: Answer) -> Answer:
        """The answer to send: without the cards that this client overrode on the same facts before."""
        if answer.evaluation is None:
            self._ledger.note(CallNoted(self._now(), client, call.hook))
            return answer
        memories = self._memories(client, call, answer)
        quiet = await self._overridden(memories)
        kept = tuple(each for each, memory in zip(answer.spoken, memories, strict=True) if memory not in quiet)
        cards = [_shown(each, memory, quiet) for each, memory in zip(answer.spoken, memories, strict=True)]
        if answer.open_questions:
            cards.append(_open_questions(answer.open_questions))
        self._ledger.note(
            CallNoted(
                at=self._now(),
                client=client,
                hook=call.hook,
                cards=tuple(cards),
                evaluated=answer.evaluation.evaluated,
                gaps=gaps(answer.evaluation.not_evaluated),
                unrecognised_codes=answer.unrecognised_codes,
            )
        )
        return answer if len(kept) == len(answer.spoken) else replace(answer, spoken=kept)

    def refused(self, client: str, call: HookCall, lacking: Sequence[NotEvaluated]) -> None:
        """Writes down a call that no rule could answer, because the EHR left out what they require."""
        self._ledger.note(CallNoted(self._now(), client, call.hook, gaps=gaps(lacking)))

    def _memories(self, client: str, call: HookCall, answer: Answer) -> list[bytes | None]:
        record = answer.record
        if self._memory is None or record is None:
            return [None] * len(answer.spoken)
        return [
            None if each.silent else self._memory.of(each.raised, call.patient_id, client, record)
            for each in answer.spoken
        ]

    async def _overridden(self, memories: Sequence[bytes | None]) -> frozenset[bytes | None]:
        """Those that were overridden; none when the store cannot tell: better one card too many."""
        wanted = [memory for memory in memories if memory]
        if not wanted:
            return frozenset()
        try:
            return frozenset(await self._ledger.overridden(wanted))
        except StoreUnavailable:
            return frozenset()


def gaps(lacking: Sequence[NotEvaluated]) -> tuple[Gap, ...]:
    """Rules that were not evaluated, as they are written down."""
    return tuple(Gap(gap.rule.topic, gap.reason, gap.data) for gap in lacking)


def _shown(spoken: Spoken, memory: bytes | None, quiet: frozenset[bytes | None]) -> CardShown:
    delivery: Delivery = "silent" if spoken.silent else "quiet" if memory in quiet else "shown"
    raised = spoken.raised
    return CardShown(
        card=UUID(spoken.card["uuid"]),
        topic=raised.rule.topic,
        version=raised.rule.version,
        level=raised.level.value,
        variant=raised.alert.variant,
        delivery=delivery,
        memory=memory,
    )


def _open_questions(card: Card) -> CardShown:
    return CardShown(UUID(card["uuid"]), NOT_EVALUATED_TOPIC, _OPEN_QUESTIONS_VERSION, Level.INFO.value, "")
