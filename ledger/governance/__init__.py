"""Proposals and votes: read from the Governor's events, relayed for their signers, and executed.

    relaying ─▶ pending ─▶ active ─▶ succeeded ─▶ queued ─▶ executed
                                └──▶ defeated         └──▶ expired        canceled from each of them

`proposals` and `votes` apply events of final blocks, wherever a proposal was made or a vote was cast. `relaying` sends
signed proposals and votes, `carrying_out` queues and executes passed proposals, and `shown` has the answers of the API.
"""
