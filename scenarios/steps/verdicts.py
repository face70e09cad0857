"""Phrases that judge what users felt and what the lab says of itself; their numbers go to the report."""

from __future__ import annotations

from collections.abc import Callable

from pytest_bdd import parsers, then

from evidence import measures
from evidence.answers import Answer
from evidence.runs import Run
from lab import named
from lab.model import Lab
from lab.waiting import in_words, retry, stretched, wait_until
from scenarios.steps.world import SETTLED, Story

Told = Callable[[str, object], None]
FELT_WITHIN = 15.0  # seconds in which users must be answered after the last step


def settled(story: Story) -> list[Answer]:
    """The answers up to now, with some after the last step; the probe ends here."""
    assert story.probe is not None, "no users were asking"
    if not story.answers:
        seen = len(story.probe.answers)
        probe = story.probe
        wait_until(lambda: len(probe.answers) >= seen + SETTLED, FELT_WITHIN, "answers after the last step")
        story.answers = probe.stop()
    return story.answers


@then("no request fails")
def no_request_fails(story: Story) -> None:
    few_requests_fail(story, 0)


@then(parsers.parse("at most {limit:d} requests fail"))
def few_requests_fail(story: Story, limit: int) -> None:
    answers = settled(story)
    assert len(measures.failures(answers)) <= limit, measures.says(answers)


@then(parsers.parse("the longest outage is at most {limit:g} seconds"))
def outage_is_short(story: Story, limit: float) -> None:
    answers = settled(story)
    longest = measures.longest_outage(answers)
    assert longest <= stretched(limit), f"{measures.says(answers)}; at most {in_words(limit)}"


@then(parsers.parse("users were served {first}, then {second}"))
def served_in_turn(story: Story, first: str, second: str) -> None:
    turns = [f"{release} by {color}" for release, color in measures.turns(settled(story))]
    # At the cut-over old and new workers of nginx overlap for a moment: what matters is first and last.
    assert (turns[0], turns[-1], set(turns)) == (first, second, {first, second}), turns


@then(parsers.parse("users were served only {who}"))
def served_only(story: Story, who: str) -> None:
    turns = [f"{release} by {color}" for release, color in measures.turns(settled(story))]
    assert turns == [who]


@then("every acknowledged book is still there")
def books_are_there(story: Story, record_property: Told) -> None:
    """The writer ends here; a book it was told is kept must be listed."""
    writer = story.writer
    assert writer is not None, "no users were writing books"
    writer.stop()
    acknowledged = writer.acknowledged
    assert acknowledged, "no book was acknowledged, so nothing can be told"
    present = retry(writer.present, 30, "the books to be listed", try_next=named.command("status"))
    lost = measures.lost(acknowledged, present)
    record_property("acknowledged", len(acknowledged))
    record_property("lost", len(lost))
    assert lost == [], f"{len(lost)} of {len(acknowledged)} acknowledged books are gone, such as {lost[:5]}"


@then("users were never served by a stale color")
def never_stale(lab: Lab, story: Story, run: Run) -> None:
    answers = settled(story)
    live = measures.live_colors(run.entries(), lab.main_service.name)
    assert live, "the live color was never seen, so nothing can be told"
    found = measures.stale(answers, live)
    assert found == [], (
        f"{len(found)} answers of a color that was neither live nor just replaced, first {found[0]}"
    )


@then("Consul's checks do not flap")
def no_flapping(run: Run) -> None:
    assert run.scenario is not None
    begin = run.scenario.begin
    found = measures.flapping(entry for entry in run.entries() if entry.at >= begin)
    assert found == {}, f"became critical more than once: {found}"
