from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from evidence.answers import Answer, Outcome
from evidence.entries import Entry, of
from evidence.measures import faults, judge, live_colors
from evidence.report import model, page, story
from evidence.report.model import Scenario, builds, steps
from evidence.report.moments import COLOR, CONSUL, DONE, FAULT, HEALING, JENKINS, SWARM, USERS, Clock, Moment
from evidence.report.story import NOT_SEEN, Story
from lab.errors import ConfigError

from .test_page import report
from .test_pictures import NOTHING

BEGIN, ZERO = 100.0, 110.0
GREEN = "books_green_1 on n3"


def answers(begin: float, end: float, outcome: Outcome = "ok", who: str = "1.1 green n3") -> list[Answer]:
    """Ten requests a second."""
    release, color, node = who.split() if outcome == "ok" else ("", "", "")
    moments = [begin + n / 10 for n in range(round(10 * (end - begin)))]
    return [Answer(at, at, at + 0.01, 200, release, color, node, None, outcome) for at in moments]


def seen(at: float, kind: str, **facts: Any) -> Entry:
    """An entry so many seconds after the fault."""
    return of(kind, ZERO + at, **facts)


def broken(
    name: str = "kill", on: str = GREEN, at: float = 0.0, end: float | None = 25.0, key: str = ""
) -> list[Entry]:
    facts: dict[str, Any] = {"id": key or name, "name": name, "target": "the live color", "on": (on,)}
    phases = [seen(at, "fault", phase="inject", seconds=60.0, **facts)]
    if end is not None:
        phases += [seen(end - 1, "fault", phase="heal", **facts), seen(end, "fault", phase="healed", **facts)]
    return phases


def step(at: float, text: str, phase: str = "begin") -> Entry:
    return seen(at, "step", phase=phase, text=text)


def build(at: float, number: int, now: str, job: str = "books") -> Entry:
    return seen(at, "jenkins", job=job, build=number, now=now, seconds=5.0)


def color(at: float, now: str) -> Entry:
    return seen(at, "consul", color_of="books", now=now)


def check(at: float, now: str, service: str = "books", node: str = "m") -> Entry:
    return seen(at, "consul", node=node, check="api", service=service, was="x", now=now)


def script(at: float, text: str) -> Entry:
    return seen(at, "log", node="m", source="/data/consul/logs/watchers.log", text=text)


def container(at: float, now: str, name: str = "books_green_1", node: str = "n3") -> Entry:
    return seen(at, "swarm", container=name, node=node, was="running" if now != "running" else "", now=now)


def played(*entries: Entry, users: list[Answer] | None = None, **facts: Any) -> Scenario:
    """The scenario of these entries, with its numbers as a run has them."""
    ordered = sorted(entries, key=lambda one: one.at)
    told = users or []
    scenario = replace(
        NOTHING,
        begin=BEGIN,
        judged=judge(told, ordered, BEGIN, "books"),
        faults=tuple(faults(ordered)),
        builds=tuple(builds(ordered)),
        steps=tuple(steps(ordered)),
        answers=tuple(told),
        live=tuple(live_colors(ordered, "books")),
        entries=tuple(ordered),
    )
    return replace(scenario, **facts)


def tell(*entries: Entry, users: list[Answer] | None = None, **facts: Any) -> Story:
    return story.tell(played(*entries, users=users, **facts), "books")


OUTAGE = [*answers(108, 110), *answers(110, 124, "fail"), *answers(124, 130, who="1.1 blue n1")]
HEALING_RUN = [
    color(-5, "green"),
    seen(-2, "probe", record="probe.jsonl", path="/api", rate=10.0),
    step(-0.3, "When the live color is killed for up to 60 seconds"),
    *broken(),
    step(0.5, "When the live color is killed for up to 60 seconds", "passed"),
    container(0.8, "exited"),
    check(5.8, "critical"),
    script(5.8, ">>> Service books is critical"),
    build(6.7, 14, "building"),
    container(11.9, "", "books_blue_1", "n1"),
    container(12.9, "running", "books_blue_1", "n1"),
    color(13.5, "blue"),
    check(15.8, "passing"),
    build(17.8, 14, "SUCCESS"),
    script(18, "08:02:37 books: passes its check again after 1 deployments"),
]
HEALED = tell(*HEALING_RUN, users=OUTAGE)


# --- a fault that the lab heals -----------------------------------------------------------------------------


def test_before_tells_who_was_live_and_who_was_served() -> None:
    assert HEALED.before.says == "Green was live."
    assert HEALED.before.facts == (
        ("service", "books"),
        ("users asked", "for /api, 10 times a second"),
        ("they were served", "release 1.1 on green"),
        ("from", "n3"),
    )


def test_a_fault_is_told_in_the_words_of_its_step() -> None:
    assert HEALED.broken.says == "The live color is killed."
    facts = dict(HEALED.broken.facts)
    assert (facts["kind of fault"], facts["where"]) == ("kill", GREEN)
    assert facts["when"].startswith(page.clock(ZERO))
    assert facts["ends by itself"] == "after 60 s at the latest"
    assert facts["undone by those who made it"] == "after 25.0 s"


def test_what_users_felt_is_told_in_numbers() -> None:
    assert HEALED.felt.says == "140 of 220 requests failed."
    assert dict(HEALED.felt.facts) == {
        "longest time without a good answer": "14.0 s",
        "first failure after the fault": "0.0 s",
        "served again after the fault": "13.9 s",
        "slowest request before the fault": "10.0 ms",
        "slowest request during the fault": "10.0 ms",
    }


def test_who_noticed_is_told_in_the_order_they_did() -> None:
    assert HEALED.noticed.says == "Consul noticed 5.8 s after the fault."
    assert [(one.who, round(one.at, 1), one.text) for one in HEALED.noticed.moments] == [
        (SWARM, 0.8, "stopped: books_green_1 on n3"),
        (CONSUL, 5.8, "the check of books fails (critical)"),
    ]


def test_who_mended_is_told_with_builds_script_and_color() -> None:
    assert HEALED.mended.says == "Jenkins ran build 14 (succeeded), and blue became live."
    assert HEALED.mended.facts[0] == ("live now", "blue")
    assert "Ansible" in HEALED.mended.about
    told = {one.who: one.text for one in HEALED.mended.moments}
    assert told == {
        HEALING: "books: passes its check again after 1 deployments",
        COLOR: "blue is live for books",
        CONSUL: "the check of books passes",
        JENKINS: "build 14 of books: SUCCESS (began at 6.7 s)",
        FAULT: "the fault is undone by those who made it",
    }


def test_a_build_s_result_is_told_once() -> None:
    told = [*broken(), script(9, "08:02:37 books: build 14: SUCCESS")]
    assert any(one.who == HEALING for one in tell(*told).moments)
    both = tell(*told, build(3, 14, "building"), build(8, 14, "SUCCESS"))
    assert not any(one.who == HEALING for one in both.moments)


def test_the_time_line_has_all_of_it_in_order() -> None:
    assert [one.at for one in HEALED.moments] == sorted(one.at for one in HEALED.moments)
    shown = set(HEALED.noticed.moments) | set(HEALED.mended.moments)
    assert shown <= set(HEALED.moments)
    assert {one.who for one in HEALED.moments} == {USERS, FAULT, CONSUL, SWARM, HEALING, JENKINS, COLOR}
    assert all(HEALED.begin <= one.at <= HEALED.end for one in HEALED.moments)
    spans = {(one.who, one.text): (one.begin, one.end) for one in HEALED.spans}
    assert spans[FAULT, "kill"] == (0, 25)
    assert spans[COLOR, "blue"] == (13.5, None)


def test_the_line_to_remember_says_that_the_lab_mended_it() -> None:
    again = "users were served again after 13.9 s"
    assert HEALED.line == f"The live color is killed, and the lab mended it by itself: {again}."


def test_the_bars_hold_every_request() -> None:
    assert sum(bar.requests for bar in HEALED.bars) == 220
    assert sum(bar.failed for bar in HEALED.bars) == 140


def test_many_seconds_are_few_bars() -> None:
    told = tell(users=answers(100, 1000))
    assert len(told.bars) <= story.MOST_BARS
    assert sum(bar.requests for bar in told.bars) == 9000


# --- the same numbers as the report -------------------------------------------------------------------------


def test_story_page_and_json_tell_the_same_numbers() -> None:
    scenario = played(*HEALING_RUN, users=OUTAGE)
    plain = json.loads(json.dumps(model.plain(report(scenario))))["scenarios"][0]
    told = json.dumps([story.tell(scenario, "books").felt.facts, HEALED.noticed.says, HEALED.mended.facts])
    spans = ("longest_outage", "first_failure_after", "detected_after", "recovered_after", "redundant_after")
    for key in spans:
        assert plain["judged"][key] == scenario.judged[key]
        assert page.number(scenario, key) in told
    numbers = f"{plain['judged']['failed']} of {plain['judged']['requests']} requests failed."
    assert numbers == HEALED.felt.says


def test_no_number_is_the_story_s_own() -> None:
    judged = {
        "requests": 7,
        "failed": 5,
        "longest_outage": 1.5,
        "first_failure_after": 2.5,
        "detected_after": 3.5,
        "recovered_after": 4.5,
        "redundant_after": 6.5,
        "phases": [],
    }
    told = tell(*HEALING_RUN, users=OUTAGE, judged=judged)
    assert told.felt.says == "5 of 7 requests failed."
    assert [value for _, value in told.felt.facts] == ["1.5 s", "2.5 s", "4.5 s"]
    assert told.noticed.says == "Consul noticed 3.5 s after the fault."
    assert ("everything runs again after", "6.5 s") in told.mended.facts
    assert "after 4.5 s" in told.line


# --- a story is as the journal is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "says", "line"),
    [
        (broken(), "Who mended it was not seen.", "Who mended it was not seen."),
        (broken(end=9.0), "Those who made the fault undid it.", "by then the fault was being undone."),
        (
            [*broken(), script(3, ">>> critical")],
            "Who mended it was not seen.",
            "Who mended it was not seen.",
        ),
        ([*broken(), build(20, 3, "building")], "Who mended it was not seen.", "Who mended it was not seen."),
        (
            [*broken(), build(-3, 2, "building"), build(4, 2, "SUCCESS")],
            "Who mended it was not seen.",
            "Who mended it was not seen.",
        ),
        ([*broken(), color(20, "blue")], "Who mended it was not seen.", "Who mended it was not seen."),
        (
            [*broken(), build(3, 3, "building")],
            "Jenkins ran build 3 (its end was not seen).",
            "the lab mended it by itself: users were served again after 13.9 s.",
        ),
        (
            [*broken(), build(2, 3, "building"), build(5, 3, "FAILURE"), build(9, 4, "SUCCESS", "shop")],
            "Jenkins ran build 3 of books (failed) and build 4 of shop (succeeded).",
            "by itself: users were served again after 13.9 s.",
        ),
        (
            [*broken(end=9.0), build(3, 3, "building"), build(8, 3, "SUCCESS")],
            "By then a fault was being undone.",
            "by then the fault was being undone.",
        ),
        (
            [*broken(), *broken("stop", at=1.0, end=9.0), color(4, "blue")],
            "Blue became live. By then a fault was being undone.",
            "users were served again after 13.9 s: by then a fault was being undone.",
        ),
    ],
    ids=[
        "nobody",
        "undone",
        "a script only",
        "too late",
        "begun before",
        "a color too late",
        "no end",
        "two jobs",
        "undone too",
        "two faults",
    ],
)
def test_who_mended_is_only_who_was_seen_to_act_in_time(entries: list[Entry], says: str, line: str) -> None:
    told = tell(*entries, users=OUTAGE)
    assert told.mended.says.endswith(says)
    assert told.line.endswith(line)


def test_a_fault_that_its_timer_ends_is_not_mended_by_the_lab() -> None:
    timed = [seen(0, "fault", id="f", phase="inject", name="pause", on=("x",), seconds=10.0)]
    told = tell(*timed, build(3, 3, "building"), users=OUTAGE)
    assert told.line.endswith("by then the fault was being undone.")


def test_a_fault_nobody_felt_needed_no_mending() -> None:
    told = tell(*broken(), container(1, "exited"), users=answers(108, 130))
    assert told.felt.says == "None of 220 requests failed."
    assert dict(told.felt.facts)["served again after the fault"] == "served all the time"
    assert told.noticed.says == "Swarm noticed. Consul was not seen to."
    assert told.mended.says == "Nothing had to be mended for users."
    assert told.line.endswith(", and no user felt it.")


def test_failures_before_a_fault_are_none_of_its_own() -> None:
    told = tell(*broken(), users=[*answers(108, 109, "fail"), *answers(109, 130)])
    assert told.felt.says == "10 of 220 requests failed."
    assert dict(told.felt.facts)["first failure after the fault"] == "none"
    assert told.line.endswith(", and no user felt it.")


def test_users_who_were_not_served_again_are_told() -> None:
    told = tell(*broken(end=None), users=[*answers(108, 110), *answers(110, 130, "fail")])
    assert dict(told.felt.facts)["served again after the fault"] == NOT_SEEN
    assert dict(told.broken.facts)["undone by those who made it"] == NOT_SEEN
    assert told.mended.says == "It was not seen that users were served again."
    assert told.line.endswith("users were not seen to be served again.")


def test_a_fault_without_a_step_is_told_by_name_and_target() -> None:
    assert tell(*broken()).broken.says == f"Kill on {GREEN}."
    over = [step(-3, "When users ask"), step(-1, "When users ask", "passed")]
    assert tell(*over, *broken()).broken.says == f"Kill on {GREEN}."


def test_of_several_faults_each_is_told() -> None:
    assert tell(*broken(), *broken("stop", at=1.0)).line.startswith("2 things were broken")
    told = tell(*broken(), step(1, "When Jenkins is stopped"), *broken("stop", "jenkins on m", at=2))
    assert [(one.at, one.text) for one in told.broken.moments] == [(2, "Jenkins is stopped")]


def test_a_node_s_death_is_told_once_and_what_is_cleared_away_later_is_no_sign_of_it() -> None:
    dead = [container(4, "", name, "n3") for name in ("books_green_1", "registrator")]
    late = container(20, "exited", "books_green_1", "n3")
    told = tell(*broken("power-cut", "n3"), *dead, late, users=OUTAGE)
    text = "not seen any more: books_green_1, registrator on n3"
    assert told.noticed.moments == (Moment(4.0, SWARM, text, "bad"),)
    assert [(one.at, one.mood) for one in told.moments if one.who == SWARM][-1] == (20, "plain")


def test_who_does_not_answer_is_told_as_a_sign() -> None:
    silent = seen(3, "consul", who="Consul", now="does not answer")
    told = tell(*broken("consul-stop", "m"), silent)
    assert [one.text for one in told.noticed.moments] == ["Consul does not answer"]
    assert told.noticed.says == "Nobody was seen to notice."


def test_a_node_s_check_names_the_node() -> None:
    told = tell(*broken(), check(3, "critical", service="", node="n3"))
    assert told.noticed.moments[0].text == "the check of the node n3 fails (critical)"


def test_what_was_so_at_the_first_look_is_no_moment() -> None:
    first = seen(1, "consul", node="m", check="api", service="books", now="critical", first=True)
    assert tell(*broken(), first).noticed.moments == ()


# --- nothing broken -----------------------------------------------------------------------------------------

CUT_OVER = tell(
    color(-15, "blue"),
    step(-8, "Given users ask"),
    step(-1, "When Ansible deploys books"),
    step(1, "And the master runs"),
    container(2, "exited", "books_blue_1", "n1"),
    color(3, "green"),
    step(5, "Then no request fails"),
    step(6, "And all is well"),
    users=[*answers(105, 113, who="1.0 blue n1"), *answers(113, 120)],
)


def test_a_cut_over_tells_what_was_done_instead() -> None:
    assert CUT_OVER.zero == "the first request"
    assert CUT_OVER.before.says == "Blue was live."
    assert ("they were served", "release 1.0 on blue") in CUT_OVER.before.facts
    assert CUT_OVER.broken.says == "Nothing was broken on purpose."
    assert [(one.at, one.who, one.text) for one in CUT_OVER.broken.moments] == [
        (4.0, DONE, "Ansible deploys books"),
        (6.0, DONE, "the master runs"),
    ]
    assert CUT_OVER.felt.says == "None of 150 requests failed."
    assert CUT_OVER.noticed.says == "Nobody had to notice anything."
    assert CUT_OVER.mended.says == "Nothing had to be mended."
    assert CUT_OVER.mended.facts == (("live now", "green"),)
    moved = "Users went from release 1.0 on blue to release 1.1 on green"
    assert CUT_OVER.line == f"{moved}, and no request failed."


def test_a_container_that_a_deployment_stops_is_no_bad_sign() -> None:
    assert [one.mood for one in CUT_OVER.moments if one.who == SWARM] == ["plain"]


def test_a_deployment_that_changed_nothing_says_who_stayed_live() -> None:
    told = tell(color(-15, "blue"), users=answers(105, 120, who="1.0 blue n1"))
    assert told.line == "Blue stayed live, and no request failed."


def test_failures_that_nobody_caused_are_told() -> None:
    told = tell(check(3, "critical"), users=[*answers(105, 110), *answers(110, 111, "fail")])
    assert told.noticed.says == "Something was noticed that nobody broke."
    assert told.mended.says == "Who mended it was not seen."
    assert told.line == "Nothing was broken on purpose, and 10 requests failed."


# --- what is not known --------------------------------------------------------------------------------------


def test_what_was_not_seen_is_said_not_to_be() -> None:
    told = tell()
    assert told.before.says == "Which color was live was not seen."
    assert dict(told.before.facts) == {
        "service": "books",
        "users asked": NOT_SEEN,
        "they were served": NOT_SEEN,
    }
    assert told.broken.about == "What the scenario did was not seen."
    assert told.felt.says == "What users felt was not seen: nobody asked."
    assert told.felt.facts == ()
    assert told.mended.says == "Nothing was seen that had to be mended."
    assert told.mended.facts == (("live now", NOT_SEEN),)
    assert told.line == "Nothing was broken on purpose. What users felt was not seen."
    assert (told.moments, told.spans, told.bars) == ((), (), ())


def test_a_fault_of_which_only_the_end_is_known_is_told() -> None:
    told = tell(seen(0, "fault", id="f", phase="healed"))
    assert told.broken.says == "A fault of an unknown kind."
    assert dict(told.broken.facts)["where"] == NOT_SEEN
    assert told.line == "A fault of an unknown kind. What users felt was not seen."


@pytest.mark.parametrize("judged", [{}, {"requests": 5}, {"requests": 5, "failed": None}])
def test_numbers_that_are_not_there_are_not_made_up(judged: dict[str, Any]) -> None:
    told = tell(*broken(), users=OUTAGE, judged={**judged, "phases": []})
    assert "not seen" in told.felt.says
    assert told.noticed.says == "Nobody was seen to notice."
    assert told.mended.says == "Who mended it was not seen."
    assert ("everything runs again after", NOT_SEEN) in told.mended.facts
    assert told.line.endswith("What users felt was not seen.")


def test_a_scenario_that_failed_says_what_did_not_hold() -> None:
    steps_of = [step(1, "Then no request fails"), step(2, "Then no request fails", "failed")]
    told = tell(*steps_of, verdict="failed", error="5 failed")
    assert told.line == "It did not go as promised. This did not hold: no request fails."
    assert told.error == "5 failed"


def test_a_scenario_that_was_cut_does_not_say_how_it_went() -> None:
    assert "is not known" in tell(*HEALING_RUN, users=OUTAGE, verdict="cut").line


def test_a_known_limit_is_called_one() -> None:
    assert tell(verdict="known limit").line.endswith("That is a known limit of the design.")


def test_answers_that_may_have_been_done_and_stale_ones_are_counted() -> None:
    unknown = answers(110, 111, "unknown")
    told = tell(color(-60, "blue"), *broken(), users=[*answers(105, 110), *unknown])
    facts = dict(told.felt.facts)
    assert facts["failed, but perhaps done all the same"] == "10"
    assert facts["answers of a color that was not live"] == "50"


# --- choosing -----------------------------------------------------------------------------------------------


def test_a_story_is_chosen_by_a_part_of_its_name() -> None:
    run = report(NOTHING, replace(NOTHING, name="Second"))
    assert [one.name for one in story.stories(run)] == ["First", "Second"]
    assert [one.name for one in story.stories(run, "seco")] == ["Second"]
    with pytest.raises(ConfigError, match='no scenario with "Secnod"') as caught:
        story.stories(run, "Secnod")
    assert 'did you mean "Second"' in str(caught.value)


def test_a_step_keeps_what_only_looks_like_a_duration() -> None:
    entries = [step(-1, "When the database is 300 ms late for 20 seconds"), *broken("delay")]
    clock = Clock(played(*entries))
    assert clock.broken(clock.faults[0]) == "the database is 300 ms late"
