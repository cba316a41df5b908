"""Puts a request into the JSON of either of MiniMax's APIs. No request is made here."""

import base64
from typing import Any, Literal

from providers import mapping
from providers.contract import AnimationRequest, Picture

Api = Literal["v1", "v2"]


class Names(mapping.Names, frozen=True, forbid_unknown_fields=True):
    """A model's `wire` table."""

    api: Api = "v1"
    first: str = "first_frame_image"
    camera: bool = False  # the model takes camera commands in brackets


def to_wire(request: AnimationRequest, names: Names) -> dict[str, Any]:
    """Return the request as its model's API takes it."""
    body: dict[str, Any] = {"model": request.model.endpoint, **mapping.to_wire(request, names)}
    ends = {"first_frame": request.first, "last_frame": request.last}
    pictures = {role: data_url(picture) for role, picture in ends.items() if picture is not None}
    if names.api == "v1":
        return body | {f"{role}_image": url for role, url in pictures.items()}
    text = {"type": "text", "text": body.pop(names.prompt)}
    frames = [{"type": "image_url", "image_url": {"url": url}, "role": role} for role, url in pictures.items()]
    return body | {"content": [text, *frames]}


def data_url(picture: Picture) -> str:
    return f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"
