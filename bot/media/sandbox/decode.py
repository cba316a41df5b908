"""Decode foreign bytes to a clean sRGB JPEG, inside a sandbox. The bot itself never imports a picture decoder."""

import io
from typing import Any

from PIL import AvifImagePlugin, Image, ImageCms, ImageFile

from bot.media.sandbox import sniff
from bot.media.sandbox.declined import Declined

_OPENERS = {
    "jpeg": ["JPEG", "MPO"],
    "png": ["PNG"],
    "gif": ["GIF"],
    "webp": ["WEBP"],
    "avif": ["AVIF"],
    "heif": ["HEIF"],
}
_ANIMATED = {"gif", "webp", "png", "avif"}  # the further pictures of a HEIC or MPO are no animation
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_THREADS = 2


def normalised(data: bytes, limits: dict[str, int]) -> tuple[dict[str, Any], bytes]:
    """Return {width, height, notes} and the JPEG. Raises `Declined`; `limits` are the fields of `pictures.Limits`."""
    kind = sniff.kind(data)
    if kind not in _OPENERS:
        raise Declined("unsupported", found=kind)
    _check_header(kind, data, limits)
    try:
        picture, notes = _decoded(kind, data, limits)
        body = _jpeg(picture, limits)
    except (Declined, MemoryError, ImportError):
        raise
    except Exception as error:  # decoders raise nearly anything on bad bytes; it is the file's fault, by name
        raise Declined("corrupt", found=kind) from error
    return {"width": picture.width, "height": picture.height, "notes": notes}, body


def _check_header(kind: str, data: bytes, limits: dict[str, int]) -> None:
    if kind == "jpeg":
        scans = sniff.jpeg_scans(data, limits["max_scans"] + 1)
        if scans > limits["max_scans"]:
            raise Declined("too_hard", why="scans", limit=limits["max_scans"])
    if kind == "webp" and (size := sniff.webp_size(data)):
        _check_size(*size, limits)


def _check_size(width: int, height: int, limits: dict[str, int]) -> None:
    shorter, longer = sorted((width, height))
    size = {"width": width, "height": height}
    if width * height > limits["max_pixels"]:
        raise Declined("too_many_pixels", **size, limit=limits["max_pixels"])
    if longer > shorter * limits["max_ratio"] or longer > limits["max_side"]:
        raise Declined("absurd_shape", **size, limit=limits["max_ratio"], limit_side=limits["max_side"])
    if shorter < limits["min_side"]:
        raise Declined("too_small", **size, limit=limits["min_side"])


def _decoded(kind: str, data: bytes, limits: dict[str, int]) -> tuple[Image.Image, list[str]]:
    opened = _opened(kind, data)
    _check_size(*opened.size, limits)
    longest = limits["longest"]
    notes = ["first_frame"] if kind in _ANIMATED and getattr(opened, "is_animated", False) else []
    scale = longest / max(opened.size)
    opened.draft("RGB", (round(opened.width * scale), round(opened.height * scale)))  # JPEG only: fewer pixels decoded
    opened.load()
    turn = _UPRIGHT.get(_orientation(opened))
    profile = opened.info.get("icc_profile")
    picture = _resizable(opened)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture, flattened = _flat(picture)
    if flattened:
        notes.append("flattened")
    picture = _in_srgb(picture, profile)
    return (picture if turn is None else picture.transpose(turn)), notes


def _opened(kind: str, data: bytes) -> ImageFile.ImageFile:
    Image.MAX_IMAGE_PIXELS = None  # our own check follows at once, before anything is decoded
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    if kind == "heif":
        import pi_heif  # noqa: PLC0415 - 40 ms that only a HEIC is worth

        pi_heif.options.DECODE_THREADS = _THREADS
        pi_heif.register_heif_opener()
    return Image.open(io.BytesIO(data), formats=_OPENERS[kind])


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation. EXIF is often broken by other programs: then the picture stays as it is."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - the parser raises nearly anything, and none of it harms the pixels
        return 1


def _resizable(picture: Image.Image) -> Image.Image:
    """Return it in a mode that can be scaled smoothly: L, LA, RGB, RGBA or CMYK."""
    if picture.mode.startswith("I"):
        return picture.point(lambda value: value * (1 / 257) + 0.5).convert("L")  # 16 bits; convert alone would clip
    if picture.has_transparency_data:
        return picture if picture.mode in {"LA", "RGBA"} else picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in {"L", "RGB", "CMYK"} else picture.convert("RGB")


def _flat(picture: Image.Image) -> tuple[Image.Image, bool]:
    """Lay it on white; say whether anything shone through."""
    if picture.mode not in {"LA", "RGBA"}:
        return picture, False
    alpha = picture.getchannel("A")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture.convert("RGB"), mask=alpha)
    return white, alpha.getextrema() != (255, 255)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by its ICC profile; a broken profile, or one for other channels, is left out."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _MODE_OF_SPACE[source.profile.xcolor_space.strip()]
            if mode in {"RGB", picture.mode}:
                target = ImageCms.createProfile("sRGB")
                done = ImageCms.profileToProfile(picture.convert(mode), source, target, outputMode="RGB")
                return done or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
            pass  # garbage in the profile: the pixels are still good
    return picture.convert("RGB")


def _jpeg(picture: Image.Image, limits: dict[str, int]) -> bytes:
    """Rebuild from bare pixels, so that nothing but pixels is left, and encode."""
    clean = Image.frombytes("RGB", picture.size, picture.tobytes())
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=limits["quality"])
    return out.getvalue()
