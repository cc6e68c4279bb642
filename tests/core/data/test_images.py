"""Pictures of every kind become RGB squares; what cannot be read says why and stops nothing."""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import threading
import zlib

import numpy as np
import pytest
from miniatures import picture, settings_of
from PIL import Image, ImageOps

from crossback_core.data.contents import content_hash
from crossback_core.data.images import (
    Picture,
    Unreadable,
    decode_picture,
    fit_picture,
    read_picture_files,
)
from crossback_core.data.modalities.image import MODALITY

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes, *, size: int) -> np.ndarray:
    """Return the pixels of a picture file."""
    return decode_picture(data, size=size).pixels


def flipped(data: bytes, place: int) -> bytes:
    """Return a file with the bits of one byte turned over."""
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Return the colours of the corners: top left, top right, bottom left, bottom right."""
    return [tuple(pixels[row, column].tolist()) for row in (0, -1) for column in (0, -1)]


def quarters() -> Image.Image:
    """Draw a picture of four colours, one a quarter."""
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30] = RED, (0, 255, 0), (0, 0, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO"])
def test_every_format_becomes_a_square_of_the_wanted_size(kind):
    pixels = decoded(encoded(quarters(), kind), size=16)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    wanted = [RED, (0, 255, 0), (0, 0, 255), (0, 0, 0)]
    assert np.abs(np.array(corners(pixels)) - wanted).max() < 12


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "PA", "I;16"])
def test_white_stays_white_in_every_mode(mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 65535, dtype=np.uint16))
    else:
        white = Image.new("RGBA", (8, 8), (*WHITE, 255))
        image = white.convert("LA" if mode == "PA" else mode)
    data = encoded(image, "TIFF" if mode == "PA" else "PNG")
    assert corners(decoded(data, size=4)) == [WHITE] * 4


def test_cmyk_becomes_rgb():
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = decoded(encoded(cyan, "JPEG"), size=4)[0, 0]
    assert red < 10 and green > 245 and blue > 245


def test_a_size_is_kept_or_reached():
    image = picture(1, 1, size=(32, 32))
    pixels = np.array(image)
    assert np.array_equal(decoded(encoded(image), size=32), pixels)
    assert decoded(encoded(Image.new("RGB", (1, 1), RED)), size=8).shape == (8, 8, 3)
    assert fit_picture(pixels, size=32).pixels is pixels
    assert fit_picture(pixels, size=8).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_keep_their_upper_half(kind):
    values = np.array([[0, 0x1234], [0x80FF, 0xFFFF]], dtype=np.uint16)
    pixels = decoded(encoded(Image.fromarray(values), kind), size=2)
    assert pixels[..., 0].tolist() == [[0, 0x12], [0x80, 0xFF]]


def test_a_palette_of_8_bits_in_a_tiff_file_is_not_black():
    """The format wants 16; many programs write 8, and others scale them."""
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 40, 20] + [0] * 762)
    content = io.BytesIO()
    image.save(content, "TIFF")
    for upper in (True, False):
        data = content.getvalue()
        if not upper:  # 200 is stored as 200 * 256
            for value in (200, 40, 20):
                data = data.replace(struct.pack("<HH", 0, value << 8), struct.pack("<HH", 0, value))
        assert decode_picture(data, size=8).pixels[0, 0].tolist() == [200, 40, 20]


@pytest.mark.parametrize(
    ("kind", "used"),
    [("PNG", bits) for bits in (8, 9, 12, 14, 16)] + [("TIFF", bits) for bits in (9, 16, 24, 31)],
)
def test_grey_of_many_bits_is_scaled_by_those_in_use(kind, used):
    top = 2**used - 1
    values = np.array([[0, top // 2], [top, top]], dtype=np.uint16 if used <= 16 else np.int32)
    picture = decode_picture(encoded(Image.fromarray(values), kind), size=2)
    assert picture.bits == (10 if used == 9 else used)
    white = 127 if used == 9 else 255
    assert picture.pixels[..., 0].tolist() == [[0, white // 2], [white, white]]


def png(
    bands: int, values: list[int], *, bits: int = 16, palette: bool = False, **chunks: bytes
) -> bytes:
    """Return a PNG file of one row, of kinds that Pillow does not write."""
    kind = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[bands]
    header = struct.pack(">IIBBBBB", len(values) // bands, 1, bits, kind, 0, 0, 0)
    row = np.array(values, dtype=f">u{bits // 8}").tobytes()
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(b"\0" + row), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + name.encode()
        + data
        + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in parts.items()
    )


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_colours_of_sixteen_bits_are_not_taken_where_only_lower_ones_are_in_use(bands):
    opaque = [] if bands == 3 else [0xFFFF]
    colours = bands - len(opaque)
    for low in (0xFF, 0xFFF):
        with pytest.raises(ValueError, match="only the lower of its 16 bits"):
            decode_picture(png(bands, [low] * colours + opaque), size=1)
    # Full alpha is none of the colours; one that varies tells that black is black.
    assert decoded(png(bands, [0x2000] * colours + opaque), size=1).max() == 0x20
    if opaque:
        black = [0] * colours
        assert not decoded(png(bands, [*black, 0xFFFF, *black, 0xF000]), size=2)[:, 0].any()


def test_pictures_whose_many_bits_mean_another_thing_are_not_taken():
    grey = Image.fromarray(np.full((2, 2), 0x8000, dtype=np.uint16))
    tag = [struct.pack("<HHIH", 262, 3, 1, meaning) for meaning in (1, 0)]
    for words, data in (
        ("0 is white", encoded(grey, "TIFF").replace(*tag)),
        ("transparent", png(1, [0, 9], tRNS=b"\0\0")),
        ("transparent", png(3, [0, 0xFFFF, 9], tRNS=b"\0\0\xff\xff\0\x09")),
        ("below 0", encoded(Image.fromarray(np.full((2, 2), -1, dtype=np.int32)), "TIFF")),
        ("floating point", encoded(Image.new("F", (4, 4)), "TIFF")),
    ):
        with pytest.raises(ValueError, match=f"{words}.*: save it with 8 bits a colour"):
            decode_picture(data, size=8)


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGBA", {}), ("LA", {}), ("P", {"transparency": 0}), ("RGB", {"transparency": (0, 0, 0)})],
)
def test_transparency_is_laid_on_white(mode, options):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert(mode)
    assert corners(decoded(encoded(image, **options), size=4)) == [WHITE] * 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, WHITE, WHITE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert corners(decoded(data, size=4)) == [RED] * 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_followed(kind, orientation):
    upright = quarters()
    # What a camera held that way would have stored.
    turns = [None, *map(Image.Transpose, (0, 3, 1, 5, 2, 6, 4))]
    turn = turns[orientation - 1]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    data = encoded(stored, kind, exif=exif, **options.get(kind, {}))
    found = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), dtype=int)
    assert np.abs(found - np.array(upright)).max() <= 4
    wanted = decoded(encoded(upright), size=16)
    assert np.abs(decoded(data, size=16).astype(int) - wanted).max() <= 4


@pytest.mark.parametrize("entries", [b"Exif\0\0no TIFF header at all", {0x0112: 99}])
def test_an_unknown_orientation_changes_nothing(entries):
    exif = Image.Exif()
    exif.update(entries if isinstance(entries, dict) else {})
    data = encoded(quarters(), exif=exif if isinstance(entries, dict) else entries)
    wanted = decoded(encoded(quarters()), size=16)
    assert np.array_equal(decoded(data, size=16), wanted)


def test_a_jpeg_is_decoded_at_a_reduced_scale():
    image = Image.fromarray(np.kron(np.array(quarters()), np.ones((32, 32, 1), dtype=np.uint8)))
    data = encoded(image, "JPEG", quality=95)
    whole = np.array(Image.open(io.BytesIO(data)).resize((32, 32), Image.Resampling.BILINEAR))
    pixels = decoded(data, size=32)
    assert np.abs(pixels.astype(int) - whole).max() <= 12  # at the edges of the quarters
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft(None, (64, 64))
        assert opened.size == (240, 160)  # an eighth: the least that JPEG offers


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a picture of a known format"),
        (b"no picture", "not a picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a known format"),
        (encoded(quarters(), "JPEG")[:-200], "truncated"),
        (encoded(quarters(), "PNG")[:60], "trunc|broken|damaged"),
        (flipped(encoded(quarters(), "PNG"), 60), "broken data stream"),
        (encoded(quarters(), "GIF")[:40], "."),
        (encoded(quarters(), "WEBP")[:40], "."),
        (encoded(quarters(), "TIFF")[:200], "."),
        (png(1, [0], bits=8, palette=True), "AssertionError"),
    ],
)
def test_what_cannot_be_read_says_why(data, words):
    with pytest.raises(ValueError, match=words):
        decoded(data, size=8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(28))
def test_flipped_bytes_never_stop_the_work(seed):
    random = np.random.default_rng(seed)
    kinds = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
    data = np.frombuffer(encoded(quarters(), kinds[seed % len(kinds)]), dtype=np.uint8).copy()
    places = random.integers(0, min(len(data), 400), 12)
    data[places] = random.integers(0, 256, 12)
    with contextlib.suppress(ValueError):
        assert decoded(data.tobytes(), size=8).shape == (8, 8, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("most", [2399, 1199])
def test_giant_pictures_are_refused(monkeypatch, most):
    # Up to twice the limit Pillow itself only warns.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with pytest.raises(ValueError, match="2400 pixels|60 x 40 pixels are more than"):
        decoded(encoded(quarters()), size=8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2400)
    assert decoded(encoded(quarters()), size=8).shape == (8, 8, 3)


@pytest.fixture
def folder(tmp_path):
    """Five picture files, two of which cannot be read, and one that is missing."""
    for number in range(5):
        picture(number, 0).save(tmp_path / f"Ö{number} ß.jpg")
    (tmp_path / "Ö1 ß.jpg").write_bytes(b"no picture")
    (tmp_path / "Ö3 ß.jpg").write_bytes((tmp_path / "Ö3 ß.jpg").read_bytes()[:-200])
    return tmp_path


@pytest.mark.parametrize("threads", [1, 3])
def test_files_are_read_in_order_whatever_the_number_of_threads(folder, threads):
    sources = [f"Ö{number} ß.jpg" for number in (4, 3, 2, 1, 0, 5)]
    items = read_picture_files(folder, sources, settings_of("cub"), threads=threads)
    truncated, unknown, missing = (item.reason for item in items[1::2])
    assert truncated.startswith("unreadable image: ") and "truncated" in truncated
    assert unknown == "unreadable image: not a picture of a known format"
    assert missing == "missing image file"
    for item, source in zip(items[::2], sources[::2], strict=True):
        data = (folder / source).read_bytes()
        assert np.array_equal(item.pixels, decoded(data, size=32))
        assert item.content == content_hash(data)


def test_no_more_threads_than_given_decode(folder, monkeypatch):
    names = set()

    def note(data, *, size):
        names.add(threading.current_thread().name)
        return Picture(np.zeros((size, size, 3), dtype=np.uint8), content_hash(data))

    monkeypatch.setattr("crossback_core.data.images.decode_picture", note)
    read_picture_files(folder, ["Ö0 ß.jpg"] * 50, settings_of("cub"), threads=2)
    assert 1 <= len(names) <= 2


def test_the_bits_that_pictures_were_scaled_by_are_told(tmp_path, caplog):
    for number, top in enumerate([255, 4095, 4095]):
        grey = Image.fromarray(np.full((2, 2), top, dtype=np.uint16))
        grey.save(tmp_path / f"{number}.png")
    caplog.set_level(logging.INFO)
    read_picture_files(tmp_path, ["1.png", "2.png"], settings_of("cub"), threads=1)
    read_picture_files(tmp_path, ["0.png", "1.png", "2.png"], settings_of("cub"), threads=1)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert caplog.messages[1].endswith("uses: 8 bits in 1 picture, 12 bits in 2 pictures")


def test_an_error_of_the_disk_is_no_reason_to_skip(folder):
    (folder / "folder.jpg").mkdir()
    with pytest.raises(IsADirectoryError):
        read_picture_files(folder, ["folder.jpg"], settings_of("cub"), threads=1)


def test_pictures_of_one_size_are_stacked():
    pictures = [np.array(picture(1, number)) for number in range(3)]
    stacked = MODALITY.pack(pictures).of(range(3))
    assert stacked.is_contiguous() and stacked.shape == (3, 3, 40, 48)
    assert np.array_equal(stacked.permute(0, 2, 3, 1), np.stack(pictures))
    with pytest.raises(ValueError, match=r"shapes \(3, 1, 1\) and \(3, 40, 48\)"):
        MODALITY.pack([*pictures, pictures[0][:1, :1]]).of(range(4))


def test_contents_stay_with_their_pictures_whatever_was_skipped_or_resized():
    pixels = [np.array(picture(1, number)) for number in range(2)]
    read = [fit_picture(pixels[0], size=8), Unreadable("missing"), pixels[1]]  # the last one bare
    contents = MODALITY.pack(read).contents_of([2, 0])
    assert contents == (content_hash(pixels[1]), content_hash(pixels[0]))
