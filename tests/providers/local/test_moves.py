import time

import pytest

from providers.local.moves import Move, Speed, describe, read

SLOW, FAST = Speed.SLOW, Speed.FAST
DEFAULT = Move(zoom=1, speed=SLOW, named=False)

ASKED = [
    ("zoom in", Move(zoom=1)),
    ("Zoom Out!", Move(zoom=-1)),
    ("zoom", Move(zoom=1)),
    ("zooming into her face", Move(zoom=1)),
    ("push in on the lake", Move(zoom=1)),
    ("push-in", Move(zoom=1)),
    ("pull out", Move(zoom=-1)),
    ("the camera pulls back", Move(zoom=-1)),
    ("dolly in", Move(zoom=1)),
    ("dolly out", Move(zoom=-1)),
    ("dolly", Move(zoom=1)),
    ("dolly left", Move(pan=-1)),
    ("the camera slowly moves forward", Move(zoom=1, speed=SLOW)),
    ("pan left", Move(pan=-1)),
    ("pan to the right", Move(pan=1)),
    ("pan the camera to the left", Move(pan=-1)),
    ("panning from left to right", Move(pan=1)),
    ("pan left and up", Move(pan=-1, tilt=-1)),
    ("pan up", Move(tilt=-1)),
    ("left pan", Move(pan=-1)),
    ("camera pans across the valley", Move(pan=1)),
    ("tilt up", Move(tilt=-1)),
    ("tilt the camera downwards", Move(tilt=1)),
    ("camera rises above the trees", Move(tilt=-1)),
    ("crane down", Move(tilt=1)),
    ("orbit", Move(orbit=1)),
    ("orbit left", Move(orbit=-1)),
    ("camera orbits around the statue", Move(orbit=1)),
    ("rotate around the statue", Move(orbit=1)),
    ("arc shot", Move(orbit=1)),
    ("rotate", Move(roll=1)),
    ("rotate counter-clockwise", Move(roll=-1)),
    ("roll left", Move(roll=-1)),
    ("roll", Move(roll=1)),
    ("barrel roll", Move(roll=1)),
    ("handheld", Move(hand=1)),
    ("hand-held camera, slow motion", Move(hand=1)),
    ("camera shake", Move(hand=2)),
    ("shaky cam", Move(hand=2)),
    ("parallax", Move(parallax=1)),
    ("parallax to the left", Move(parallax=-1)),
    ("2.5D", Move(parallax=1)),
    ("ken burns", Move(zoom=1, pan=1)),
    ("slow zoom in while panning left", Move(zoom=1, pan=-1, speed=SLOW)),
    ("zoom in slowly", Move(zoom=1, speed=SLOW)),
    ("very slowly zoom out", Move(zoom=-1, speed=SLOW)),
    ("pan right, fast", Move(pan=1, speed=FAST)),
    ("zoom into her face very quickly", Move(zoom=1, speed=FAST)),
    ("whip pan left", Move(pan=-1, speed=FAST)),
    ("not too fast zoom out", Move(zoom=-1)),
    ("slow motion zoom in", Move(zoom=1)),
    ("slow handheld push in with a slight tilt up", Move(zoom=1, tilt=-1, hand=1, speed=SLOW)),
    ("orbit right and zoom out", Move(orbit=1, zoom=-1)),
    ("zoom in then zoom out", Move(zoom=1)),
]

NOT_ASKED = [
    "",
    "the company logo sparkles",
    "Japan in spring",
    "a frying pan on the stove",
    "satellite in orbit",
    "rolling hills at dawn",
    "a dog shakes off the water",
    "shaking hands",
    "the truck left the road",
    "a Zoom call with a friend",
    "gentle breeze in the grass",
    "panorama, zoomorphic, tilted-looking, orbitals",
    "up and down, left and right",
]

DENIED = [
    ("no zoom", Move(pan=1, speed=SLOW, named=False)),
    ("no zoom, no pan", Move(tilt=-1, speed=SLOW, named=False)),
    ("without shake", DEFAULT),
    ("don't pan", DEFAULT),
    ("don\u2019t let it shake", DEFAULT),
    ("don't pan, zoom out slowly", Move(zoom=-1, speed=SLOW)),
    ("no zoom or pan, tilt down", Move(tilt=1)),
    ("zoom in, but without camera shake", Move(zoom=1)),
    ("no camera shake and pan left", Move(pan=-1)),
    ("zoom in instead of panning left", Move(zoom=1)),
    ("no camera movement", Move()),
    ("static camera, leaves rustle", Move()),
    ("the camera is still while water flows", Move()),
]

SENTENCES = [
    ("slow zoom in while panning left", "Slow zoom in while panning left."),
    ("zoom in, pan left and up", "Zoom in while panning left and tilting up."),
    ("fast orbit left", "Fast orbit to the left."),
    ("handheld", "Hand-held camera."),
    ("shaky push in", "Zoom in, with a shake."),
    ("rotate ccw", "Rotation counter-clockwise."),
    ("parallax", "Parallax to the right."),
    ("no motion", "Still camera."),
    ("a cat", "Slow zoom in (no camera move was named)."),
]


@pytest.mark.parametrize(("prompt", "move"), ASKED)
def test_words_that_name_a_move_are_understood(prompt: str, move: Move) -> None:
    assert read(prompt) == move


@pytest.mark.parametrize("prompt", NOT_ASKED)
def test_words_that_only_look_like_a_move_leave_the_gentle_default(prompt: str) -> None:
    assert read(prompt) == DEFAULT


@pytest.mark.parametrize(("prompt", "move"), DENIED)
def test_a_move_that_was_forbidden_is_not_made(prompt: str, move: Move) -> None:
    assert read(prompt) == move


@pytest.mark.parametrize(("prompt", "words"), SENTENCES)
def test_the_sentence_says_what_was_done(prompt: str, words: str) -> None:
    assert describe(read(prompt)) == words


def test_a_cross_move_with_no_words_ends_on_the_whole_end_picture() -> None:
    move = read("a cat becomes a dog", cross=True)
    assert move.zoom == -1
    assert describe(move, cross=True) == "Slow zoom out, dissolving to the end picture (no camera move was named)."


@pytest.mark.parametrize("prompt", ["slow " * 4000, "camera " * 4000, "pan from left to " * 2000, "no or " * 4000])
def test_an_absurd_prompt_is_read_at_once(prompt: str) -> None:
    began = time.process_time()
    read(prompt)
    assert time.process_time() - began < 0.5
