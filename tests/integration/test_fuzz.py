"""A few hundred damaged and hostile requests; `python -m tests.fuzz` sends many more."""

from tests.fuzz import fuzzed_server, is_finding, request_of, status_of


def test_no_request_is_answered_with_a_fault() -> None:
    with fuzzed_server() as (port, _):
        answers = {number: status_of(port, request_of(18, number)) for number in range(300)}
    assert {number: answer for number, answer in answers.items() if is_finding(*answer)} == {}
    assert {200, 400, 413} <= {status for status, _ in answers.values()}
