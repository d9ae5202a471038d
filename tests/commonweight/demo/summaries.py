"""A summary as a demo of two rounds makes it."""

from __future__ import annotations

from typing import Any

UNITS = {"ada": 600_000 * 10**18 + 1, "ben": 400_000 * 10**18 - 1, "cal": 0}


def summary(**changes: Any) -> dict[str, Any]:
    """Valid; `changes` replace its parts."""
    return {
        "run": "0x" + "ab" * 32,
        "seed": 7,
        "seconds": 201.4,
        "nodes": [_node(name, units) for name, units in UNITS.items()],
        "rounds": [_round(1, 3.1, "0.001"), _round(2, 2.7, "0.0005")],
        "verdicts": [_verdict("ada", "posted", None, 2e-7), _verdict("cal", "voided", "update-out-of-bounds", 0.61)],
        "baselines": {"solo": [4.0, 3.4, 3.0], "data-parallel": [4.0, 3.0, 2.6]},
        "chain": {"supply": str(10**24), "balances": {name: str(units) for name, units in UNITS.items()}},
        "transactions": [{"id": "anchor:1", "state": "mined", "nonce": 3, "hash": "0xfeed", "block": 9, "error": ""}],
        "checks": {"every wallet holds what the ledger paid it": True, "the cheat holds nothing": True},
        **changes,
    }


def _node(name: str, units: int) -> dict[str, Any]:
    caught = name == "cal"
    return {
        "name": name,
        "claimed_steps": 80,
        "verified_steps": 0 if caught else 80,
        "voided_steps": 80 * caught,
        "reasons": ["update-out-of-bounds"] if caught else [],
        "units": str(units),
        "share_percent": round(units / 10**22, 4),
    }


def _round(number: int, loss: float, lr: str) -> dict[str, Any]:
    return {
        "round": number,
        "config_digest": f"0x{number:02x}" + "cd" * 31,
        "inner_lr": lr,
        "nodes": ["ada", "ben", "cal"],
        "lapsed": ["ben"] if number == 2 else [],
        "held_out_loss": loss,
    }


def _verdict(node: str, state: str, reason: str | None, error: float) -> dict[str, Any]:
    word = {"verifier": "vera", "segment": 1, "word": "true" if state == "posted" else "false"}
    return {
        "round": 1,
        "node": node,
        "state": state,
        "reason": reason,
        "error": error,
        "limit": 2.5e-5,
        "draws": {"vera": [1, 4], "vito": [0, 7]},
        "words": [word],
    }
