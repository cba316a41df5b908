"""Reads the camera move out of a prompt, and says in a sentence what it read. Geometry stands in `camera`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise


class Speed(StrEnum):
    SLOW = "slow"
    NORMAL = "normal"
    FAST = "fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What the camera does. All zero: it stands still."""

    zoom: int = 0  # 1 in, -1 out
    pan: int = 0  # -1 left, 1 right
    tilt: int = 0  # -1 up, 1 down
    roll: int = 0  # 1 the picture turns clockwise, -1 counter-clockwise
    orbit: int = 0  # -1 to the left, 1 to the right
    parallax: int = 0  # -1 to the left, 1 to the right
    hand: int = 0  # 1 hand-held, 2 shaking
    speed: Speed = Speed.NORMAL
    named: bool = True  # False: the prompt names no move, this is the default


_SLOW = "slow|slowly|slower|gentle|gently|subtle|subtly|soft|softly|slight|slightly|calm|calmly"
_FAST = "fast|faster|quick|quickly|rapid|rapidly|swift|swiftly|sudden|suddenly|dramatic|dramatically|whip|crash"
_HOW = rf"(?: (?:very|really|a bit|smoothly|steadily|smooth|steady|further|all the way|{_SLOW}|{_FAST}))*"
_LEFT, _RIGHT = "left|leftward|leftwards", "right|rightward|rightwards"
_UP, _DOWN = "up|upward|upwards|top", "down|downward|downwards|bottom"
_SIDE = f"{_LEFT}|{_RIGHT}|{_UP}|{_DOWN}"
_BACK = "left|counter clockwise|counterclockwise|anti clockwise|anticlockwise|ccw"
_TURN = rf"(?:{_HOW}(?: (?:to|toward|towards))?(?: the)? (?P<turn>right|clockwise|cw|{_BACK}))?"
_TO = rf"{_HOW}(?: the (?:camera|view|shot))?(?: from(?: the)? (?:{_SIDE}))?(?: (?:to|toward|towards))?(?: the)?"
_SIDES = rf"{_TO} (?P<side>{_SIDE})(?:(?: and| then)?(?: to)?(?: the)? (?P<side2>{_SIDE}))?"
_CAMERA = r"camera(?: [^\s.,;]+){0,2}?"
_TRAVELS = (
    "(?:move|moves|moving|slide|slides|sliding|drift|drifts|drifting|glide|glides|gliding|track|tracks|tracking|truck|"
    "trucks|trucking|turn|turns|turning|swing|swings|sweeps|sweeping|float|floats|floating|flies|flying|goes|creeps)"
)
_ZOOMS = "zoom|zooms|zooming|zoomed"
_DOLLIES = "dolly|dollies|dollying"
_ROTATES = "rotate|rotates|rotated|rotating|rotation"
_AFTER_NO = "(?:(?<=no )|(?<=or )|(?<=not )|(?<=nor )|(?<=don't )|(?<=without ))"  # "pan" alone may be a frying pan
_NOT_A_SHAKE = "hands?|heads?|his|her|its|their|my|your|off|out|up|a"

# Earlier rules win where two match the same words. Words are separated by single spaces; hyphens have become spaces.
_RULES: tuple[tuple[str, str], ...] = (
    (
        "still",
        r"(?:static|still|fixed|locked(?: off)?|stationary|motionless) (?:camera|shot|frame)|tripod|holds? still",
    ),
    ("still", rf"{_CAMERA} (?:static|still|fixed|locked|stationary|motionless)"),
    ("still", r"(?:no|without|zero)(?: any)?(?: camera)? (?:motion|movements?|moves?)"),
    ("ken burns", r"ken burns"),
    ("orbit", rf"(?:{_ROTATES}|revolves?|revolving|circles?|circling|arcs?|arcing){_HOW} around"),
    ("orbit", rf"{_CAMERA} (?:circles|circling|spins around|{_TRAVELS} around)"),
    ("orbit", rf"arc shot|(?<!in )(?:orbit|orbits|orbiting|orbital)(?: (?:shot|move|around))?{_TURN}"),
    ("roll", rf"(?:roll|rolls|rolling){_HOW}(?: to)?(?: the)? (?P<turn>right|clockwise|cw|{_BACK})"),
    ("roll", rf"(?:barrel|camera|dutch) (?:rolls?|rolling|angle|tilt|spins?|twists?){_TURN}"),
    ("roll", rf"(?:^|(?:slow|slowly|gentle|fast|quick|slight|smooth) )roll|(?:{_ROTATES}){_TURN}"),
    ("out", rf"(?:{_ZOOMS}|{_DOLLIES}|pull|pulls|pulling){_HOW} (?:out|back|away|backwards?|outwards?)"),
    ("out", rf"{_CAMERA} {_TRAVELS}{_HOW} (?:out|back|away|backwards?)"),
    (
        "in",
        rf"(?:{_ZOOMS}|{_DOLLIES}|push|pushes|pushing){_HOW} (?:in|into|closer|inwards?|forwards?|towards?)",
    ),
    ("side", rf"(?:pan|pans|panning|panned|tilt|tilts|tilting|tilted|{_DOLLIES}){_SIDES}"),
    ("side", rf"(?:(?:crane|pedestal|boom|jib|tracking|trucking)(?: shot)?|{_CAMERA} {_TRAVELS}){_SIDES}"),
    ("side", rf"(?P<side>{_SIDE}) (?:pan|panning|tilt|tilting)"),
    ("in", rf"{_CAMERA} {_TRAVELS}{_HOW} (?:in|into|closer|forwards?|towards?)"),
    ("up", rf"{_CAMERA} (?:rises?|rising|lifts?|ascends?)"),
    ("down", rf"{_CAMERA} (?:lowers?|sinks?|descends?)"),
    ("in", rf"(?:{_ZOOMS})(?! (?:call|lens|meeting))|{_DOLLIES}"),
    (
        "pan",
        (
            rf"^pan$|{_AFTER_NO}pan|panning|camera pans?|(?:{_SLOW}|{_FAST}|smooth|horizontal) pan|"
            r"pans? (?:across|over|along|shot)"
        ),
    ),
    ("up", rf"^tilt$|{_AFTER_NO}tilt|tilting|camera tilts?|(?:{_SLOW}|{_FAST}|smooth|vertical) tilt|tilt shot"),
    ("parallax", rf"(?:parallax|2 \. 5d)(?: (?:effect|shot|drift|move))?{_TURN}"),
    ("hand", r"hand ?held"),
    (
        "shake",
        rf"shaky(?: cam(?:era)?)?|(?:camera )?(?:shake|shakes|shaking)(?! (?:{_NOT_A_SHAKE})(?!\S))|wobbl(?:e|y|ing)",
    ),
)
_COMPILED = tuple((kind, re.compile(rf"(?<!\S)(?:{pattern})(?!\S)")) for kind, pattern in _RULES)
_SIGNS = dict.fromkeys(_LEFT.split("|"), ("pan", -1)) | dict.fromkeys(_RIGHT.split("|"), ("pan", 1))
_SIGNS |= dict.fromkeys(_UP.split("|"), ("tilt", -1)) | dict.fromkeys(_DOWN.split("|"), ("tilt", 1))
_PLAIN = {"in": {"zoom": 1}, "out": {"zoom": -1}, "pan": {"pan": 1}, "up": {"tilt": -1}, "down": {"tilt": 1}}
_PLAIN |= {"hand": {"hand": 1}, "shake": {"hand": 2}, "ken burns": {"zoom": 1, "pan": 1}, "still": {}}
_CLAUSE_ENDS = re.compile(r"(?<!\S)(?:[.,;:!?()]|but|and|while|with|then|just|only)(?!\S)")
_SAYS_NO = re.compile(r"no|not|without|dont|never|avoid|avoiding|cannot|zero|instead of|rather than|\w+n't")
_SENTENCE_ENDS = re.compile(r"(?<!\S)(?:[.;:!?()]|but|then)(?!\S)")
_MISLEADING = (  # phrases whose words would be misread one by one
    (re.compile(r"(?<!\S)slow (?:motion|mo)(?!\S)"), "slowmotion"),
    (re.compile(rf"(?<!\S)not (?:too|so|very|that) (?:{_SLOW}|{_FAST})(?!\S)"), "moderate"),
)
_NEAR = 3  # words between "no" or "slow" and the move it speaks of
_TRAILING = 6  # words between a move and the "slowly" after it
_LONGEST = 4000  # characters looked at


def read(prompt: str, *, cross: bool = False) -> Move:
    """Find the move that the words ask for. `cross`: there is an end picture; it changes only the default."""
    text = _normalise(prompt)
    asked: dict[str, int] = {}
    denied: set[str] = set()
    speed, still = Speed.NORMAL, False
    for kind, match, negated in _find(text):
        axes = _read_axes(kind, match)
        if negated:
            denied |= axes.keys()
            continue
        asked = axes | asked  # of two that contradict each other the first stands
        still = still or kind == "still"
        speed = _find_speed(text, match) if speed is Speed.NORMAL else speed
    if asked:
        return Move(**asked, speed=speed)  # type: ignore[arg-type]  # keys are the int fields above
    return Move() if still else _choose_default(denied, cross=cross)


def describe(move: Move, *, cross: bool = False) -> str:
    """Tell a person what was done: "Slow zoom in while panning left."."""
    parts = list(_describe_axes(move))
    words = parts[0][0] if parts else {0: "still camera", 1: "hand-held camera", 2: "shaking camera"}[move.hand]
    if len(parts) > 1:
        words += " while " + " and ".join(doing for _, doing in parts[1:])
    if parts and move.hand:
        words += ", hand-held" if move.hand == 1 else ", with a shake"
    if move.speed is not Speed.NORMAL and (parts or move.hand):
        words = f"{move.speed} {words}"
    if cross:
        words += ", dissolving to the end picture"
    if not move.named:
        words += " (no camera move was named)"
    return words[0].upper() + words[1:] + "."


def _normalise(prompt: str) -> str:
    """Lower case, one space between words, marks as words of their own, hyphens gone."""
    text = prompt[:_LONGEST].lower().replace("\u2019", "'")
    text = " ".join(re.findall(r"(?:[^\W_]|')+|[.,;:!?()\n]", text)).replace("\n", ".")
    for misleading, instead in _MISLEADING:
        text = misleading.sub(instead, text)
    return text


def _find(text: str) -> Iterator[tuple[str, re.Match[str], bool]]:
    """Every camera word, in the order of the text, and whether it was said not to do it."""
    found: list[tuple[str, re.Match[str]]] = []
    for kind, rule in _COMPILED:
        for match in rule.finditer(text):
            if all(match.start() >= other.end() or match.end() <= other.start() for _, other in found):
                found.append((kind, match))
    denied_until = -1
    for kind, match in sorted(found, key=lambda pair: pair[1].start()):
        negated = kind != "still" and _is_negated(text, match.start(), denied_until)
        denied_until = match.end() if negated else denied_until
        yield kind, match, negated


def _is_negated(text: str, start: int, denied_until: int) -> bool:
    if denied_until >= 0 and text[denied_until:start].split() in (["or"], ["nor"], ["or", "any"]):
        return True
    before = _CLAUSE_ENDS.split(text[:start])[-1].split()[-_NEAR - 1 :]
    return _says_no(before)


def _says_no(words: list[str]) -> bool:
    return any(_SAYS_NO.fullmatch(word) for word in words) or any(
        _SAYS_NO.fullmatch(" ".join(pair)) for pair in pairwise(words)
    )


def _read_axes(kind: str, match: re.Match[str]) -> dict[str, int]:
    groups = match.groupdict()
    if kind == "side":
        sides = [_SIGNS[word] for word in (groups.get("side2"), groups.get("side")) if word]
        return dict(sides)  # the first named comes last and stands
    if kind in ("orbit", "roll", "parallax"):
        return {kind: -1 if groups.get("turn") in _BACK.split("|") else 1}
    return dict(_PLAIN[kind])


def _find_speed(text: str, match: re.Match[str]) -> Speed:
    before = _SENTENCE_ENDS.split(text[: match.start()])[-1].split()[-_NEAR:]
    after = _SENTENCE_ENDS.split(text[match.end() :])[0].split()[:_TRAILING]
    for word in [*match.group().split(), *reversed(before), *after]:
        if word in _SLOW.split("|"):
            return Speed.SLOW
        if word in _FAST.split("|"):
            return Speed.FAST
    return Speed.NORMAL


def _choose_default(denied: set[str], *, cross: bool) -> Move:
    """Choose a gentle move that was not forbidden. A slow zoom out shows all of the end picture at the end."""
    choices = [Move(zoom=-1 if cross else 1), Move(pan=1), Move(tilt=-1)]
    for move, axis in zip(choices, ("zoom", "pan", "tilt"), strict=True):
        if axis not in denied:
            return replace(move, speed=Speed.SLOW, named=False)
    return Move(named=False)


def _describe_axes(move: Move) -> Iterator[tuple[str, str]]:
    """(as a noun, as something done meanwhile) for each axis that moves."""
    across = {-1: "left", 1: "right"}
    if move.zoom:
        way = "in" if move.zoom > 0 else "out"
        yield f"zoom {way}", f"zooming {way}"
    if move.pan:
        yield f"pan {across[move.pan]}", f"panning {across[move.pan]}"
    if move.tilt:
        way = "up" if move.tilt < 0 else "down"
        yield f"tilt {way}", f"tilting {way}"
    if move.roll:
        way = "clockwise" if move.roll > 0 else "counter-clockwise"
        yield f"rotation {way}", f"rotating {way}"
    if move.orbit:
        yield f"orbit to the {across[move.orbit]}", f"orbiting to the {across[move.orbit]}"
    if move.parallax:
        yield f"parallax to the {across[move.parallax]}", f"drifting {across[move.parallax]} with parallax"
