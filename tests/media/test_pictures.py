"""What the picture room takes, and what it makes of it."""

import io
import struct

import pytest
from PIL import Image, ImageChops, PngImagePlugin

from bot.media.pictures import BadPicture, Looked, Problem, normalise
from tests.media.pictures import (
    CORNERS,
    as_bytes,
    corners_of,
    four_corners,
    heic,
    noise,
    p3_profile,
)

UNDO = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation: the transpose that a camera had applied


def seen(looked: Looked) -> Image.Image:
    picture = Image.open(io.BytesIO(looked.picture.data))
    assert (picture.format, looked.picture.mime) == ("JPEG", "image/jpeg")
    assert picture.size == (looked.picture.width, looked.picture.height)
    assert picture.mode == "RGB"
    return picture


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF"])
async def test_every_format_keeps_its_picture(kind: str) -> None:
    looked = await normalise(as_bytes(four_corners(), kind))
    assert corners_of(seen(looked)) == list(CORNERS)
    assert looked.notes == ()


async def test_a_heic_keeps_its_picture() -> None:
    looked = await normalise(heic(four_corners((256, 128))))
    assert corners_of(seen(looked)) == list(CORNERS)


async def test_a_multi_picture_jpeg_is_no_animation() -> None:
    data = as_bytes(four_corners(), "MPO", save_all=True, append_images=[noise((320, 200))])
    looked = await normalise(data)
    assert corners_of(seen(looked)) == list(CORNERS)
    assert looked.notes == ()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
async def test_of_an_animation_the_first_frame_is_taken_and_said(kind: str) -> None:
    data = as_bytes(four_corners(), kind, save_all=True, append_images=[noise((320, 200))] * 2, duration=50)
    looked = await normalise(data)
    assert corners_of(seen(looked)) == list(CORNERS)
    assert looked.notes == ("first_frame",)


@pytest.mark.parametrize("orientation", range(9))
async def test_an_exif_orientation_is_applied(orientation: int) -> None:
    filmed = four_corners()
    if orientation in UNDO:
        filmed = filmed.transpose(Image.Transpose(UNDO[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = seen(await normalise(as_bytes(filmed, "JPEG", exif=exif)))
    assert corners_of(picture) == list(CORNERS)
    assert picture.size == (320, 200)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
async def test_an_orientation_is_applied_in_other_formats_too(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = as_bytes(four_corners().transpose(Image.Transpose.ROTATE_90), kind, exif=exif)
    assert corners_of(seen(await normalise(data))) == list(CORNERS)


@pytest.mark.parametrize("exif", [b"MM\0*\xff\xff\xff\xff" + bytes(range(200)), b"garbage", b"II*\0", b""])
async def test_broken_exif_does_no_harm(exif: bytes) -> None:
    data = as_bytes(four_corners(), "JPEG", exif=b"Exif\0\0" + exif)
    assert corners_of(seen(await normalise(data))) == list(CORNERS)


async def test_an_orientation_that_is_no_number_does_no_harm() -> None:
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHI4sI", 8, 1, 0x0112, 2, 3, b"up\0\0", 0)
    assert corners_of(seen(await normalise(as_bytes(four_corners(), "JPEG", exif=exif)))) == list(CORNERS)


async def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = Image.frombytes("I;16", (256, 64), b"".join((257 * x).to_bytes(2, "little") for x in range(256)) * 64)
    picture = seen(await normalise(as_bytes(ramp, "PNG"))).convert("L")
    assert all(abs(int(picture.getpixel((x, 30))) - x) <= 3 for x in range(0, 256, 15))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
async def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (128, 96), 255).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = seen(await normalise(as_bytes(grey, kind)))
    assert min(band for low, _ in picture.getextrema() for band in [low]) >= 250


@pytest.mark.parametrize(("mode", "kind"), [("LA", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "AVIF")])
async def test_what_is_transparent_becomes_white_and_is_said(mode: str, kind: str) -> None:
    clear = Image.new("RGBA", (128, 96), (255, 0, 0, 0)).convert(mode)
    looked = await normalise(as_bytes(clear, kind))
    assert corners_of(seen(looked)) == [(255, 255, 255)] * 4
    assert looked.notes == ("flattened",)


async def test_a_transparent_palette_colour_becomes_white() -> None:
    clear = Image.new("P", (128, 96), 3)
    clear.putpalette([200, 10, 10] * 256)
    looked = await normalise(as_bytes(clear, "PNG", transparency=3))
    assert corners_of(seen(looked)) == [(255, 255, 255)] * 4


async def test_an_alpha_channel_that_hides_nothing_is_not_mentioned() -> None:
    assert (await normalise(as_bytes(four_corners().convert("RGBA"), "PNG"))).notes == ()


async def test_a_wide_gamut_profile_is_converted_to_srgb() -> None:
    data = as_bytes(Image.new("RGB", (128, 96), (200, 60, 60)), "PNG", icc_profile=p3_profile())
    red, green, _ = seen(await normalise(data)).getpixel((60, 50))
    assert 212 <= red <= 222
    assert green < 55


@pytest.mark.parametrize("profile", [b"garbage" * 40, p3_profile()[:150]])
async def test_a_broken_profile_is_left_out(profile: bytes) -> None:
    data = as_bytes(four_corners(), "PNG", icc_profile=profile)
    assert corners_of(seen(await normalise(data))) == list(CORNERS)


async def test_a_profile_for_other_channels_is_left_out() -> None:
    data = as_bytes(four_corners().convert("CMYK"), "JPEG", icc_profile=p3_profile())
    seen(await normalise(data))


async def test_a_large_picture_is_scaled_and_a_small_one_is_not() -> None:
    large, small = (
        await normalise(as_bytes(noise((3000, 1500)), "JPEG")),
        await normalise(as_bytes(noise((300, 64)), "PNG")),
    )
    assert (large.picture.width, large.picture.height) == (2048, 1024)
    assert (small.picture.width, small.picture.height) == (300, 64)


async def test_nothing_but_pixels_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRETWORDS"
    exif.get_ifd(0x8825)[1] = "SECRETWORDS"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("prompt", "SECRETWORDS")
    jpeg = as_bytes(four_corners(), "JPEG", exif=exif, comment=b"<script>SECRETWORDS</script>")
    png = as_bytes(four_corners(), "PNG", pnginfo=notes, exif=exif, icc_profile=p3_profile())
    for data in (jpeg, jpeg + b"PK\x03\x04SECRETWORDS", png):
        clean = (await normalise(data)).picture.data
        assert b"SECRETWORDS" not in clean
        assert b"PK\x03\x04" not in clean
        assert not set(Image.open(io.BytesIO(clean)).info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


async def test_a_gif_that_is_also_an_archive_leaves_the_archive_behind() -> None:
    looked = await normalise(as_bytes(four_corners(), "GIF") + b"PK\x03\x04" + b"class" * 99)
    assert b"PK\x03\x04" not in looked.picture.data


async def test_a_phones_motion_clip_behind_the_picture_is_not_held_against_it() -> None:
    looked = await normalise(as_bytes(four_corners(), "JPEG") + b"\xff\xda\x00\x02" * 50_000)
    assert corners_of(seen(looked)) == list(CORNERS)


async def test_a_detailed_picture_survives_nearly_unchanged() -> None:
    before = Image.radial_gradient("L").resize((800, 600)).convert("RGB")
    after = seen(await normalise(as_bytes(before, "PNG")))
    assert max(high for _, high in ImageChops.difference(before, after).getextrema()) <= 6


async def test_no_bytes_at_all_are_called_empty() -> None:
    with pytest.raises(BadPicture) as caught:
        await normalise(b"")
    assert caught.value.problem is Problem.EMPTY
