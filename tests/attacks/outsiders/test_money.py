"""What is owed is paid once, in its own run, and blocks nothing behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.bindings.governor import description_of
from contracts.ids import to_hex
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, recover, sign
from contracts.protocol.log import signed
from contracts.protocol.log.signed import Envelope
from contracts.protocol.maintainers import Maintainers
from ledger.machine import vouching
from tests.attacks.outsiders.script import Refused, Script, another, script
from tests.attacks.outsiders.served import key
from tests.deployed import PARAMS

pytestmark = pytest.mark.integration
MAINTAINERS = sorted((key(f"maintainer {number}") for number in range(2)), key=lambda found: found.address)
AUTHOR = key("author").address
SHARES = {
    "maintainers": str(Maintainers(2, tuple(maintainer.address for maintainer in MAINTAINERS))),
    "compute_weight": 70,
    "code_weight": 30,
}


@pytest.fixture
def vouched(tmp_path: Path) -> Iterator[Script]:
    """A run of one round, in which code is paid beside work."""
    with script(tmp_path, SHARES, nodes=1) as made:
        yield made


def code(run: Script, subject: str = "ab" * 20) -> messages.Contribution:
    return messages.Contribution(run.run, 1, "git:models", subject, "MIT", AUTHOR, 5)


def signed_by_all(run: Script, said: messages.Contribution) -> Envelope:
    return Envelope(said, tuple(sign(said, run.service.domain, bytes(key.key)) for key in MAINTAINERS), {})


def refusal(run: Script, envelope: Envelope) -> str:
    answer = run.offer(envelope)
    assert answer.status_code >= 400
    return str(answer.json()["code"])


def test_a_stranger_has_one_signature_read(vouched: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """X6: thirty-two of its own cost the server 40 ms once."""
    read: list[bytes] = []

    def counted(message: Message, domain: Domain, signature: bytes) -> str:
        read.append(signature)
        return recover(message, domain, signature)

    for module in (vouching, signed):
        monkeypatch.setattr(module, "recover", counted)
    said = code(vouched)
    strangers = sorted((key(f"stranger {number}") for number in range(32)), key=lambda found: found.address)
    signatures = tuple(sign(said, vouched.service.domain, bytes(stranger.key)) for stranger in strangers)
    assert refusal(vouched, Envelope(said, signatures, {})) == "not-bound"
    assert not read, "more than there are maintainers"
    assert refusal(vouched, Envelope(said, signatures[:2], {})) == "not-bound"
    assert read == [signatures[0]]
    assert vouched.offer(signed_by_all(vouched, said)).status_code == 200


@pytest.mark.parametrize("repeats", [False, True])
def test_who_calls_itself_a_renter_has_two_read(
    vouched: Script, monkeypatch: pytest.MonkeyPatch, repeats: bool
) -> None:
    """X7: An invoice's renter signs beside the maintainers, and anybody may say that it is one."""
    read: list[bytes] = []

    def counted(message: Message, domain: Domain, signature: bytes) -> str:
        read.append(signature)
        return recover(message, domain, signature)

    strangers = sorted((key(f"stranger {number}") for number in range(3)), key=lambda found: found.address)
    names = (strangers[0].address, AUTHOR, "lambda", "i-7", b"\7" * 32, (AUTHOR,))
    said = messages.Invoice(vouched.run, *names, 0, 1, 5, False)
    by = [strangers[0]] * 3 if repeats else strangers
    signatures = tuple(sign(said, vouched.service.domain, bytes(stranger.key)) for stranger in by)
    for module in (vouching, signed):
        monkeypatch.setattr(module, "recover", counted)
    assert refusal(vouched, Envelope(said, signatures, {})) == "not-bound"
    assert read == list(signatures[:2])


def test_nobody_uses_up_the_hours_of_anothers_nodes(tmp_path: Path) -> None:
    """X8: a bill of a cent for one's own machine, with another's node keys and account on it: maintainers cannot know
    whose keys they are. The account has to sign."""
    account, renter = key("author"), key("renter")
    priced = {"token_price": 10**6, "capital_cap": 10**9, "capital_weight": 30, "code_weight": 0, "data_weight": 0}
    with script(tmp_path, {"maintainers": SHARES["maintainers"], **priced}, nodes=1) as run:
        names = (renter.address, account.address, "lambda", "i-7", b"\7" * 32, (run.nodes[0].address,))
        said = messages.Invoice(run.run, *names, 0, 1, 10_000, False)
        codes = []
        for keys in ([*MAINTAINERS, renter], [*MAINTAINERS, renter, account]):
            ordered = sorted(keys, key=lambda found: found.address)
            signatures = tuple(sign(said, run.service.domain, bytes(one.key)) for one in ordered)
            codes.append(refusal(run, Envelope(said, signatures, {})))
        assert codes == ["not-asked", "out-of-time"]


def test_a_used_nonce_makes_no_second_run(tmp_path: Path) -> None:
    """F12: no two runs ask for one trajectory. The same terms again are the same run."""
    with script(tmp_path, nodes=1) as run:
        again = run.offer(next(e for e in run.signed if isinstance(e.message, messages.RunTerms)))
        assert (again.status_code, again.json()["digest"]) == (200, to_hex(run.run))
        with pytest.raises(Refused) as refused:
            another(run, nodes=1, emission=1)
        assert (refused.value.status, refused.value.code) == (409, "already-said")
        run.read()
        assert sum('"kind":"run-terms"' in leaf for leaf in run.leaves) == 1
        other = another(run, nodes=1, emission=1, nonce=2)
        assert other.round.data_seed != run.round.data_seed


def test_code_that_is_vouched_for_in_time_is_paid(vouched: Script) -> None:
    """F20: until the last epoch is closed what is taken is paid in it; after that nothing is taken."""
    vouched.commit_all()
    vouched.see()
    vouched.read_all()
    vouched.add(signed_by_all(vouched, code(vouched)))
    vouched.merge()
    assert refusal(vouched, signed_by_all(vouched, code(vouched, "cd" * 20))) == "run-over"
    vouched.make_final()
    assert vouched.paid_to(AUTHOR) == 3 * 10**20
    assert vouched.paid(vouched.nodes[0]) == 7 * 10**20


def test_a_signature_for_one_run_is_spent_in_no_other(vouched: Script) -> None:
    """F21: it names its run; whoever holds it can hand it in nowhere else, and not where the run is over."""
    vouched.play()
    later = another(vouched, SHARES, nodes=1, nonce=2)
    meant = signed_by_all(later, code(later))
    thief = replace(meant, message=code(vouched))
    assert refusal(vouched, signed_by_all(vouched, code(vouched))) == "run-over"
    assert refusal(vouched, thief) in ("run-over", "bad-field", "not-bound")  # by whom its signatures now recover to
    stolen = replace(signed_by_all(vouched, code(vouched)), message=code(later))
    assert refusal(later, stolen) in ("bad-field", "not-bound")
    later.add(meant)
    assert refusal(later, signed_by_all(later, replace(code(later), weight=9))) == "already-said"


def test_an_epoch_above_the_limit_blocks_nobody(tmp_path: Path) -> None:
    """F24: it is cut when it closes, and later ones pay what was cut, as far as the limit lets through: after the run's
    last epoch, too."""
    most = PARAMS.max_epoch_total
    with script(tmp_path, nodes=1, rounds=2, emission=most + 1) as run:
        run.play(2)
        other = another(run, nodes=1, nonce=2)
        other.play()
        epochs = run.client.get("/v1/epochs").json()
        assert [(epoch["state"], int(epoch["total"])) for epoch in epochs] == [
            ("final", most),
            ("final", most),
            ("final", 2),
            ("final", 10**21),
        ]
        assert run.paid(run.nodes[0]) == 2 * (most + 1) + 10**21


def test_the_relayer_does_not_pay_for_proposals_without_end(tmp_path: Path) -> None:
    """F11: a holder of some units of 10^-18 of a token had each of its proposals brought to the chain."""
    with script(tmp_path, nodes=1, emission=1_000) as run:
        run.play()
        holder, chain = key(f"wallet of {run.nodes[0].address}"), run.service.model
        run.claim(1, holder.address)
        assert chain.token.votes(holder.address) == 1_000
        answers, gas = [], 12_000_000
        for number in range(60):
            text = description_of(f"wish {number}", holder.address)
            actions = chain.decision_actions(text, [("rounds", "9")])
            signature = "0x" + chain.governor.sign_proposal(holder, actions, text, 2**40).hex()
            body = {
                "proposer": holder.address,
                "description": text,
                "decisions": [("rounds", "9")],
                "deadline": 2**40,
                "signature": signature,
            }
            answers.append(run.client.post("/v1/proposals", json=body).status_code)
            if answers[-1] == 429:
                break
        assert answers[-1] == 429
        assert set(answers[:-1]) == {200}
        left = run.client.get(f"/v1/relay/{holder.address}").json()
        assert (left["gas_a_day"], left["gas_left"] < gas // len(answers)) == (gas, True)
