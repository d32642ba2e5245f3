"""Ways for several agents to work together: small functions, to be awaited inside a step.

    from stepwell.patterns import improve, parallel

    %%step draft
    report = (await improve(topic, writer, critic, rounds=3)).result

Who takes part is an agent, a durable function or any other function of one argument; each
turn is a call of its own, remembered and seen as such. So a conversation that is cut off in
its fortieth turn goes on with the forty-first. Nothing here keeps anything to itself: these
are loops that could stand in the step, and yours may.
"""

from stepwell.patterns._conversation import Conversation, Turn
from stepwell.patterns._flow import parallel, router, sequence
from stepwell.patterns._handing import Handoff, handoff, swarm
from stepwell.patterns._improving import Improved, Verdict, improve
from stepwell.patterns._manual import manual
from stepwell.patterns._taking_turns import moderated, round_robin
from stepwell.patterns._team import Member, Team

__all__ = [
    "Conversation",
    "Handoff",
    "Improved",
    "Member",
    "Team",
    "Turn",
    "Verdict",
    "handoff",
    "improve",
    "manual",
    "moderated",
    "parallel",
    "round_robin",
    "router",
    "sequence",
    "swarm",
]

# In stores they go by the name under which everybody finds them.
for _kind in (Conversation, Handoff, Improved, Turn, Verdict):
    _kind.__module__ = __name__
