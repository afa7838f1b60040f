"""What an audit's numbers say, in words: a verdict only where they carry one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from eegemo_utils import evaluation
from eegemo_utils.audit.protocols import MEANINGLESS, PLANTED, PROTOCOLS, TRUE

if TYPE_CHECKING:
    from eegemo_utils.audit.audit import Audit

ALPHA = 0.05
NOTICEABLE = 0.05  # of accuracy: smaller falls are given as numbers without a word for them


def sentences(audit: Audit) -> list[str]:
    """Return the sentences of an audit, most general first."""
    own = audit.table[audit.table["method"] == audit.method]
    true = own[own["labels"] == TRUE]
    found = [bar(row) for row in true.itertuples()]
    found += [fall(audit, protocol) for protocol in PROTOCOLS if protocol != "published"]
    found += [control(row, true) for row in own[own["labels"] == MEANINGLESS].itertuples()]
    found += [planted(row) for row in own[own["labels"] == PLANTED].itertuples()]
    found += few(true)
    found += probes(audit.shortcut_means())
    return [line for line in found if line] + list(audit.notes)


def span(low: float | None, high: float | None, digits: int = 2, sign: str = "") -> str:
    """Return an interval in brackets, "" where there is none."""
    if low is None or pd.isna(low):
        return ""
    return f" (95 % interval {low:{sign}.{digits}f} to {high:{sign}.{digits}f})"


def bar(row) -> str:
    """Return a sentence about one protocol's score."""
    guess = max(row.chance, row.majority)
    word = "chance" if row.chance >= row.majority else "always the most frequent class"
    start = f"{PROTOCOLS.get(row.protocol, row.protocol).capitalize()}: {row.accuracy:.2f}{span(row.low, row.high)}; " \
            f"{word} scores {guess:.2f}"
    if row.protocol == "published" or pd.isna(row.p):
        return start + "."
    if row.p < ALPHA:
        return f"{start}, and the difference is shown (p = {row.p:.2g}, Student over people, Holm over protocols)."
    smallest = "" if pd.isna(row.smallest_effect) else (
        f"; a true difference of {row.smallest_effect:.2f} would have been shown with a probability of 80 %")
    test = f"p = {row.p:.2g}, Student over people, Holm over protocols"
    return f"{start}, and a difference is not shown ({test}{smallest})."


def fall(audit: Audit, protocol: str) -> str:
    """Return a sentence about what the published protocol scores more than another."""
    lost = audit.fall(protocol)
    if lost is None:
        return ""
    sure = lost.low is not None and lost.low > NOTICEABLE
    much = f"The published protocol scores {lost.mean:+.2f}{span(lost.low, lost.high, sign='+')} against " \
           f"{PROTOCOLS[protocol]}, paired over people"
    return much + (": that much of its score does not carry over." if sure else ".")


def control(row, true: pd.DataFrame) -> str:
    """Return a sentence about labels without meaning."""
    real = true[true["protocol"] == row.protocol]["accuracy"]
    name = PROTOCOLS[row.protocol]
    guess = max(row.chance, row.majority)
    if row.low is None or pd.isna(row.low):
        sure = False
    else:
        sure = row.low > guess + NOTICEABLE
    found = f"Labels without meaning score {row.accuracy:.2f}{span(row.low, row.high)} with {name}"
    if sure and len(real):
        return f"{found}: this protocol gives that much for recognising recordings, whatever the labels stand for."
    return found + "."


def planted(row) -> str:
    """Return a sentence about the positive control."""
    alike = pd.isna(row.low) and (row.n_people or 0) >= evaluation.FEWEST  # all people score the same
    least = row.accuracy if alike else row.low
    found = least is not None and least > max(row.chance, row.majority)
    return (f"An effect that was planted into labels without meaning scores {row.accuracy:.2f}"
            f"{span(row.low, row.high)} with {PROTOCOLS[row.protocol]}"
            f"{': the method can find what is there' if found else ''}.")


def few(true: pd.DataFrame) -> list[str]:
    """Return the sentence about too few people, [] where there are enough."""
    people = true["n_people"].dropna()
    if len(people) and people.min() < evaluation.FEWEST:
        return [f"{people.min():.0f} people are too few for an interval or a verdict; {evaluation.FEWEST} are needed."]
    if not len(people):
        return ["People are not known: trials are counted as if each were a person of their own, so intervals are "
                "too narrow where a person has several."]
    return []


def probes(means: pd.DataFrame) -> list[str]:
    """Return sentences about what a linear probe reads, what changed inputs score, and people x clips."""
    found = []
    for row in means.itertuples():
        guess = f"chance {row.chance:.2f}, most frequent {row.majority:.2f}"
        if row.question.startswith("probe"):
            view = row.question.partition(", ")[2]
            where = {"trained": "what the network has learned", "untrained": "the network before training",
                     "input": "the input itself"}[view]
            found.append(f"A linear probe of {where} names the {row.of} in {row.accuracy:.2f} of the windows of "
                         f"{PROTOCOLS[row.protocol]} ({guess}).")
        elif row.question == "surrogate":
            found.append(f"On inputs with the change '{row.of}', models trained by trial score {row.accuracy:.2f} "
                         f"({guess}).")
        else:
            found.append(f"People x clips, {row.of}: {row.accuracy:.2f} ({guess}).")
    return found
