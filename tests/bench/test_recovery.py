from __future__ import annotations

from bench.recovery import Recovery, links, shares, spread

CHAIN = Recovery(
    detected=5.0,
    triggered=5.1,
    build=5.4,
    tasks={"look": 6.0, "start": 6.5, "cut over": 8.0, "stop the old": 9.5},
    answered=9.0,
)


def test_each_link_takes_the_time_up_to_the_next_one() -> None:
    assert {link: round(span, 3) for link, span in links(CHAIN).items()} == {
        "Consul's check": 5.0,
        "watch and heal_service.sh": 0.1,
        "Jenkins' queue": 0.3,
        "agent and playbook start": 0.6,
        "look": 0.5,
        "start": 1.5,
        "cut over": 1.0,  # what comes after the first answer is no link of it
    }


def test_the_links_of_a_chain_are_the_whole_of_it() -> None:
    assert round(sum(links(CHAIN).values()), 6) == CHAIN.answered


def test_a_moment_seen_late_takes_no_time_twice() -> None:
    late = Recovery(detected=5.0, triggered=4.9, build=5.4, tasks={"look": 6.0}, answered=7.0)
    assert links(late)["watch and heal_service.sh"] == 0.0
    assert round(sum(links(late).values()), 6) == late.answered


def test_the_slowest_link_is_told_first_and_the_shares_are_one() -> None:
    rows = shares([CHAIN, CHAIN])
    assert rows[0][0] == "Consul's check"
    assert round(sum(share for _, _, share in rows), 6) == 1.0


def test_a_spread_names_what_all_but_one_of_twenty_do_not_exceed() -> None:
    assert spread([float(n) for n in range(1, 21)]) == "min 1.0, median 10.5, p95 19.0, max 20.0 s"
