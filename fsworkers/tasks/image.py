"""The task ``image``: what an image is, and a small one of it where ``--to`` says so."""

from __future__ import annotations

import os
from math import isfinite
from numbers import Rational
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import msgspec

from fsworkers import graceful
from fsworkers.errors import BadSetting, Skip
from fsworkers.tasks.extras import need
from fsworkers.tasks.outputs import Outputs, making
from fsworkers.tasks.task import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EXIF = {
    "DateTimeOriginal", "DateTime", "Make", "Model", "LensModel", "Orientation", "Software",
    "ExposureTime", "FNumber", "ISOSpeedRatings", "FocalLength", "Artist", "Copyright",
}  # fmt: skip
"""By the names that Pillow has for tags."""

_CAMERA = 0x8769
"""The tag behind which that of the exposure is."""


class Image:
    """Tell the format, size, mode and EXIF of each image; with --to, make a thumbnail of it.

    Args:
        size: The longest side of a thumbnail, in pixels.

    Raises:
        MissingExtra: Pillow is not installed.
    """

    columns: ClassVar = (
        Column("format", "text"),
        Column("width", "integer", "pixels"),
        Column("height", "integer", "pixels"),
        Column("mode", "text", meaning="as Pillow has it: L, RGB, CMYK…"),
        Column("exif", "json", meaning="time, camera and exposure, by their EXIF names"),
    )
    example: ClassVar = "fsworkers process photos --task image --to 'thumbs/{rel.}.webp'"

    def __init__(
        self,
        size: Annotated[
            int, msgspec.Meta(ge=1, description="longest side of a thumbnail, in pixels")
        ] = 256,
    ) -> None:
        need("image", "PIL")
        self.size = size
        self.outputs: Outputs | None = None
        self.descriptors = 1

    def place_outputs(self, to: str | None, roots: Sequence[bytes]) -> Self:
        """Learn where thumbnails go.

        Raises:
            BadSetting: Their names end in none of what Pillow can write.
        """
        self.outputs = None if to is None else Outputs(to, roots)
        if to is not None:
            ending = os.path.splitext(to)[1]
            if ending and "}" not in ending and not _can_write(ending):
                raise BadSetting("--to", to, "a name that ends as images do, as .webp or .jpg")
        self.descriptors = 1 if to is None else 2
        return self

    def __call__(self, path: str) -> dict[str, Any]:
        """Look at one file.

        Raises:
            OSError: It can't be read, or is damaged.
            ValueError: No thumbnail can be made of it.
            Skip: It is no image.
        """
        from PIL import Image as images  # noqa: N813, PLC0415  (an extra; its class has our name)
        from PIL import UnidentifiedImageError  # noqa: PLC0415

        with graceful.open(path, "rb") as file:
            try:
                image = images.open(file)
            except UnidentifiedImageError:
                ending = os.path.splitext(path)[1].lower()
                if images.registered_extensions().get(ending) not in images.OPEN:  # .pdf
                    raise Skip("it is no image") from None
                reason = "no image is in it, though its name says so"
                raise UnidentifiedImageError(reason) from None
            exif = image.getexif()
            value = {
                "format": image.format,
                "width": image.width,
                "height": image.height,
                "mode": image.mode,
                "exif": dict(_told(exif)) | dict(_told(exif.get_ifd(_CAMERA))),
            }
            if self.outputs is not None:
                source = os.fsencode(path)
                with making(self.outputs.name_for(source), source) as temporary:
                    self._save(image, temporary)
        return value

    def _save(self, image: Any, output: bytes) -> None:
        from PIL import ImageOps  # noqa: PLC0415  (an extra)

        image.thumbnail((self.size, self.size))
        small = ImageOps.exif_transpose(image)
        format_ = _can_write(os.path.splitext(os.fsdecode(output))[1])
        if format_ is None:
            raise ValueError("the name of its output ends in no format that Pillow writes")
        if format_ == "JPEG" and small.mode not in {"L", "RGB", "CMYK"}:
            small = small.convert("RGB")
        with graceful.open(output, "xb") as file:
            small.save(file, format_)


def _can_write(ending: str) -> str | None:
    """The format that Pillow writes into files of that ending, if it does."""
    from PIL import Image as images  # noqa: N813, PLC0415  (an extra)

    format_ = images.registered_extensions().get(ending.lower())
    return format_ if format_ in images.SAVE else None


def _told(tags: Any) -> Iterator[tuple[str, Any]]:
    from PIL.ExifTags import TAGS  # noqa: PLC0415  (an extra)

    for number, value in tags.items():
        name = TAGS.get(number, "")
        if name not in _EXIF:
            continue
        if isinstance(value, str):
            yield name, value.strip("\0 ")
        elif isinstance(value, int):
            yield name, value
        elif isinstance(value, (float, Rational)) and isfinite(value):  # 0/0 is "not known"
            yield name, float(value)
