"""What holders decide: proposals and votes as the Governor's events tell them, relayed for who signs, carried out.

    relaying ─▶ pending ─▶ active ─▶ succeeded ─▶ queued ─▶ executed
                                └──▶ defeated         └──▶ expired        canceled from each of them

`proposals` and `votes` credit events of final blocks, wherever a proposal was made or a vote was cast. `relaying` hands
in what holders signed, `carrying_out` queues and executes what passed, and `shown` has what the API answers.
"""
