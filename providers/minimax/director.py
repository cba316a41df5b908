"""Turns camera words of a plain prompt into MiniMax's bracketed commands. Only what somebody wrote becomes one.

The fifteen commands, and that up to three in one bracket act together and brackets along the prompt one after the
other, are MiniMax's documentation, read 2026-11-20.
"""

import re
from collections.abc import Sequence

_TOGETHER = 3
_GENTLY = r"(?:\s+(?:slowly|quickly|gently|smoothly|softly|to|the))*\s+"
_MOVES = tuple(
    (re.compile(rf"\b{pattern}\b", re.IGNORECASE), command)
    for pattern, command in (
        (rf"truck(?:s|ing)?{_GENTLY}(left|right)", "Truck {}"),
        (rf"(?:camera\s+(?:moves?|slides?)|sliding){_GENTLY}(left|right)", "Truck {}"),
        (rf"pan(?:s|ning)?{_GENTLY}(left|right)", "Pan {}"),
        (rf"(?:push(?:es|ing)?|doll(?:y|ies|ying)){_GENTLY}in(?:to)?", "Push in"),
        (rf"(?:pull(?:s|ing)?|doll(?:y|ies|ying)){_GENTLY}(?:out|back)", "Pull out"),
        (rf"(?:pedestal|crane|boom)(?:s|ing)?{_GENTLY}(up|down)", "Pedestal {}"),
        (rf"tilt(?:s|ing)?{_GENTLY}(up|down)", "Tilt {}"),
        (rf"zoom(?:s|ing)?{_GENTLY}(in|out)(?:to)?", "Zoom {}"),
        (r"(?:shak(?:y|ing)\s+camera|camera\s+shak(?:e|es|ing)|hand-?held(?:\s+camera)?)", "Shake"),
        (r"(?:tracking\s+shot|camera\s+(?:follows|tracks))", "Tracking shot"),
        (r"(?:(?:static|still|fixed)\s+(?:shot|camera)|camera\s+(?:stays|is|holds)\s+still)", "Static shot"),
    )
)
_AFTERWARDS = re.compile(r"((?:[.;!?\n]|,?\s*\b(?:and\s+)?then\b)[\s,]*)", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:no|not|never|without|don't|doesn't)\s+(?:\S+\s+){0,2}$", re.IGNORECASE)


def directed(prompt: str, limit: int) -> tuple[str, tuple[str, ...]]:
    """Return the prompt with commands before the clauses that name a camera move, and the contents of its brackets.

    A prompt that has brackets already, or would become longer than `limit` characters, stays as it is.
    """
    if "[" in prompt:
        return prompt, ()
    brackets: list[str] = []
    told = ""
    for number, part in enumerate(_AFTERWARDS.split(prompt)):
        commands = "" if number % 2 else ",".join(_commands(part))
        if commands:
            brackets.append(commands)
        told += f"[{commands}]{part}" if commands else part
    return (told, tuple(brackets)) if len(told) <= limit else (prompt, ())


def sentence(brackets: Sequence[str]) -> str:
    """Tell a person what the camera was told: "Camera commands: push in, then pan left and tilt up."."""
    moves = [" and ".join(bracket.lower().split(",")) for bracket in brackets]
    return f"Camera commands: {', then '.join(moves)}." if moves else ""


def _commands(clause: str) -> list[str]:
    """Return what a clause asks of the camera, in its order; of two that contradict each other the first."""
    found: dict[int, str] = {}
    for pattern, command in _MOVES:
        match = pattern.search(clause)
        if match and not _DENIED.search(clause[: match.start()]):
            found[match.start()] = command.format(*(side.lower() for side in match.groups()))
    return list(dict.fromkeys(found[place] for place in sorted(found)))[:_TOGETHER]
