"""Makes files that are damaged or rare, and what OpenCV and Pillow make of them.

    python -m venv cv && cv/bin/pip install 'opencv-python-headless<5' 'pillow<13' numpy
    cv/bin/python tests/golden/preprocess/odd.py

odd.bin    the files: lengths of the name and the bytes, the name, the bytes
odd.txt    name; then for OpenCV and for Pillow: width, height and 64-bit FNV-1a of the RGB pixels, or "refused - -"

`rare/` holds files of other programs (libjpeg-turbo-rs wrote those of arithmetic codes and the lossless ones, and `case-*`
come from reports of faults).
"""

import io
import pathlib
import random
import struct
import zlib

import cv2
import numpy as np
import PIL
from PIL import Image

from make import fnv1a64, photo

HERE = pathlib.Path(__file__).parent


# -- JPEG -------------------------------------------------------------------------------------------------------------


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "jpeg", quality=options.pop("quality", 75), **options)
    return out.getvalue()


def parts(data):
    """Segments of a whole file: marker, data; a scan's data are a part without a marker."""
    at, found = 2, []
    while data[at : at + 2] != b"\xff\xd9":
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            end = at
            while data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                end += 1
            found.append((None, data[at:end]))
            at = end
    return found


def joined(found, end=b"\xff\xd9"):
    out = b"\xff\xd8"
    for marker, data in found:
        out += data if marker is None else bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
    return out + end


def before(data, marker, stray):
    """The file with stray bytes before its first segment of this marker."""
    out = b"\xff\xd8"
    for place, (name, body) in enumerate(parts(data)):
        if name == marker:
            out += stray
            marker = -1
        out += joined([(name, body)], b"")[2:]
    return out + (stray if marker == 0xD9 else b"") + b"\xff\xd9"


def segments(scan):
    """A scan's data cut at its restart markers."""
    pieces, begin = [], 0
    for at in range(len(scan) - 1):
        if scan[at] == 0xFF and 0xD0 <= scan[at + 1] <= 0xD7:
            pieces.append(scan[begin:at])
            begin = at + 2
    return pieces + [scan[begin:]]


def restarted(data, pieces, numbers=None):
    found = parts(data)
    numbers = numbers or [i % 8 for i in range(len(pieces) - 1)]
    scan = b"".join(piece + bytes([0xFF, 0xD0 + number]) for piece, number in zip(pieces, numbers)) + pieces[-1]
    return joined([(marker, scan if marker is None else body) for marker, body in found])


def tiff(little, entries):
    order = "<" if little else ">"
    body = (b"II" if little else b"MM") + struct.pack(order + "HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack(order + "HHI", tag, kind, count) + value
    return body + struct.pack(order + "I", 0)


def exif_cases(data):
    def with_segments(*bodies):
        return joined([(0xE1, body) for body in bodies] + parts(data))

    six = {True: b"\6\0\0\0", False: b"\0\6\0\0"}
    exif = lambda little, *entries: b"Exif\0\0" + tiff(little, entries)
    for little in (True, False):
        name = "ii" if little else "mm"
        number = lambda value, kind: struct.pack(("<" if little else ">") + ("HH" if kind == 3 else "I"), *([value, 0] if kind == 3 else [value]))
        for kind in (3, 4):
            for value in (1, 3, 6, 8):
                yield f"exif-{name}-{'short' if kind == 3 else 'long'}-{value}", with_segments(exif(little, (0x112, kind, 1, number(value, kind))))
        for value in (0, 9, 65535):
            yield f"exif-{name}-{value}", with_segments(exif(little, (0x112, 3, 1, number(value, 3))))
        yield f"exif-{name}-byte", with_segments(exif(little, (0x112, 1, 1, b"\6\0\0\0")))
        yield f"exif-{name}-two", with_segments(exif(little, (0x112, 3, 2, six[little][:2] * 2)))
        yield f"exif-{name}-many", with_segments(exif(little, (0x112, 3, 5, number(26, 4))) + b"\6\0" * 5)
        make = (0x10F, 2, 40, number(200, 4))
        yield f"exif-{name}-outside", with_segments(exif(little, make, (0x112, 3, 1, six[little])))
        yield f"exif-{name}-outside-after", with_segments(exif(little, (0x112, 3, 1, six[little]), make))
        yield f"exif-{name}-twice", with_segments(exif(little, (0x112, 3, 1, six[little]), (0x112, 3, 1, number(3, 3))))
        yield f"exif-{name}-fraction", with_segments(exif(little, (0x11A, 5, 1, number(250, 4)), (0x112, 3, 1, six[little])))
    good = exif(True, (0x112, 3, 1, six[True]))
    three = exif(True, (0x112, 3, 1, b"\3\0\0\0"))
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    yield "exif-after-xmp", with_segments(xmp, good)
    yield "exif-before-xmp", with_segments(good, xmp)
    yield "exif-two-segments", with_segments(good, three)
    yield "exif-two-segments-first-empty", with_segments(exif(True), three)
    yield "exif-no-directory", with_segments(b"Exif\0\0II*\0\xff\0\0\0")
    yield "exif-cut", with_segments(good[:20])
    yield "exif-header-only", with_segments(b"Exif\0\0")
    yield "exif-wrong-magic", with_segments(b"Exif\0\0II+\0" + good[10:])
    yield "exif-wrong-order", with_segments(b"Exif\0\0XX\0*" + exif(False, (0x112, 3, 1, six[False]))[10:])
    yield "exif-mixed-order", with_segments(b"Exif\0\0IM" + good[8:])
    yield "exif-exif-ff", with_segments(b"Exif\0\xff" + good[6:])
    yield "exif-lower", with_segments(b"EXIF\0\0" + good[6:])
    found = parts(data)
    frame = next(i for i, (marker, _) in enumerate(found) if marker == 0xC0)
    yield "exif-after-frame", joined(found[: frame + 1] + [(0xE1, good)] + found[frame + 1 :])
    yield "exif-as-app2", joined([(0xE2, good)] + found)


def colour_cases(small):
    for sampling in (0, 1, 2):
        base = parts(jpeg(small, subsampling=sampling))
        bare = [part for part in base if part[0] != 0xE0]

        def ids(found, names):
            out = []
            for marker, body in found:
                if marker == 0xC0:
                    body = body[:6] + b"".join(bytes([names[i]]) + body[7 + 3 * i : 9 + 3 * i] for i in range(3))
                if marker == 0xDA:
                    body = body[:1] + b"".join(bytes([names[i], body[2 + 2 * i]]) for i in range(3)) + body[7:]
                out.append((marker, body))
            return out

        adobe = lambda transform: (0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform]))
        yield f"colour-{sampling}-rgb-ids", joined(ids(bare, b"RGB"))
        yield f"colour-{sampling}-rgb-ids-jfif", joined(ids(base, b"RGB"))
        yield f"colour-{sampling}-rgb-ids-adobe1", joined([adobe(1)] + ids(bare, b"RGB"))
        yield f"colour-{sampling}-odd-ids", joined(ids(bare, b"\0\1\2"))
        yield f"colour-{sampling}-no-jfif", joined(bare)
        for transform in (0, 1, 2, 9):
            yield f"colour-{sampling}-adobe{transform}", joined([adobe(transform)] + bare)
        yield f"colour-{sampling}-adobe0-jfif", joined([base[0], adobe(0)] + base[1:])
        yield f"colour-{sampling}-adobe0-short", joined([(0xEE, b"Adobe\0d\0\0\0\0")] + bare)
    inks = jpeg(small.convert("CMYK"))
    for transform in (0, 1, 2):
        yield f"inks-adobe{transform}", joined([(m, b[:11] + bytes([transform])) if m == 0xEE else (m, b) for m, b in parts(inks)])
    yield "inks-bare", joined([part for part in parts(inks) if part[0] != 0xEE])
    photo_ = np.asarray(small)[:, :, ::-1]
    for name, sampling in (("411", 0x411111), ("440", 0x121111), ("422", 0x211111)):
        ok, out = cv2.imencode(".jpg", photo_, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_QUALITY, 75])
        assert ok
        yield f"sampling-{name}", out.tobytes()

    def sampled(data, factors):
        return joined([(m, b[:6] + b"".join(b[6 + 3 * i : 7 + 3 * i] + bytes([factors[i]]) + b[8 + 3 * i : 9 + 3 * i] for i in range(len(factors)))) if m == 0xC0 else (m, b) for m, b in parts(data)])

    # Data of another sampling: what they show is noise, but libjpeg takes them.
    whole = jpeg(small, subsampling=0)
    for name, factors in (("gray-2x2", [0x22]), ("chroma-larger", [0x11, 0x21, 0x11]), ("chroma-differ", [0x22, 0x21, 0x12]), ("thirds", [0x31, 0x11, 0x11]), ("fraction", [0x31, 0x21, 0x11]), ("fours", [0x41, 0x11, 0x11]), ("410", [0x42, 0x11, 0x11]), ("all-2x2", [0x22, 0x22, 0x22])):
        yield f"sampling-{name}", sampled(jpeg(small.convert("L")) if len(factors) == 1 else whole, factors)
    for name, factors in (("2x2-1-1-2x2", [0x22, 0x11, 0x11, 0x22]), ("2x1-1-1-1", [0x21, 0x11, 0x11, 0x11])):
        yield f"inks-sampling-{name}", sampled(inks, factors)


def jpeg_cases():
    tall, small = photo(40, 72), photo(45, 37)
    base, plain, gray = jpeg(tall), jpeg(tall, subsampling=0), jpeg(tall.convert("L"))
    wide = jpeg(tall, subsampling=1)
    progressive, gray_progressive = jpeg(small, progressive=True), jpeg(small.convert("L"), progressive=True)
    restarts = jpeg(tall, restart_marker_blocks=2)
    yield "whole-420", base
    for name, stray in (("zeros", b"\0" * 5), ("bytes", b"stray"), ("stuffed", b"\xff\0\xff\0"), ("fill", b"\xff" * 4), ("restart", b"\xff\xd3"), ("tem", b"\xff\x01"), ("unknown", b"\xff\x02"), ("reserved", b"\xff\xf0"), ("jpg", b"\xff\xc8"), ("soi", b"\xff\xd8"), ("eoi", b"\xff\xd9"), ("dnl", b"\xff\xdc\0\4\0\1"), ("short", b"\xff\xfe\0\1"), ("app9", b"\xff\xe9\0\2")):
        for place, marker in (("db", 0xDB), ("sof", 0xC0), ("dht", 0xC4), ("sos", 0xDA), ("eoi", 0xD9)):
            yield f"stray-{name}-{place}", before(base, marker, stray)
        yield f"stray-{name}-after", base + stray
        first = parts(progressive)
        scans = [i for i, (marker, _) in enumerate(first) if marker is None]
        at = scans[2] + 1
        yield f"stray-{name}-scans", joined(first[:at], b"") + stray + joined(first[at:])[2:]
    for name, data in (("420", base), ("444", plain), ("422", wide), ("gray", gray), ("restarts", restarts), ("progressive", progressive)):
        yield f"no-eoi-{name}", data[:-2]
        yield f"half-eoi-{name}", data[:-1]
        for share in (0.2, 0.45, 0.6, 0.75, 0.9, 0.97):
            cut = data[: int(share * len(data))]
            yield f"cut-{name}-{share}", cut
            yield f"closed-{name}-{share}", cut + b"\xff\xd9"
        for bytes_ in (3, 5, 9):
            yield f"cut-{name}-last{bytes_}", data[: -bytes_]
            yield f"closed-{name}-last{bytes_}", data[: -bytes_] + b"\xff\xd9"
    yield "trailing", base + b"garbage" * 9
    yield "trailing-image", base + gray
    yield "trailing-eoi", base + b"\xff\xd9"
    yield "only-header", joined(parts(base)[:-2], b"")
    yield "only-header-closed", joined(parts(base)[:-2])
    mpo = io.BytesIO()
    tall.save(mpo, "mpo", save_all=True, append_images=[photo(40, 72).rotate(180)])
    yield "mpo", mpo.getvalue()

    pieces = segments(parts(restarts)[-1][1])
    count = len(pieces)
    assert count > 6, count
    numbers = [i % 8 for i in range(count - 1)]
    yield "restart-lost-marker", restarted(restarts, pieces[:3] + [pieces[3] + pieces[4]] + pieces[5:], numbers[:3] + numbers[4:])
    yield "restart-lost-part", restarted(restarts, pieces[:3] + pieces[4:], numbers[:3] + numbers[4:])
    yield "restart-lost-two", restarted(restarts, pieces[:3] + pieces[5:], numbers[:3] + numbers[5:])
    yield "restart-lost-three", restarted(restarts, pieces[:2] + pieces[5:], numbers[:2] + numbers[5:])
    yield "restart-lost-first", restarted(restarts, pieces[1:], numbers[1:])
    yield "restart-lost-last", restarted(restarts, pieces[:-1])
    yield "restart-renumbered", restarted(restarts, pieces[:3] + pieces[4:])
    yield "restart-none", restarted(restarts, [b"".join(pieces)])
    yield "restart-one-more", restarted(restarts, pieces + [b""])
    yield "restart-two-more", restarted(restarts, pieces + [b"", b""])
    yield "restart-swapped", restarted(restarts, pieces, numbers[:2] + [numbers[3], numbers[2]] + numbers[4:])
    yield "restart-repeated", restarted(restarts, pieces[:3] + [b""] + pieces[3:], numbers[:3] + [numbers[2]] + numbers[3:])
    yield "restart-from-five", restarted(restarts, pieces, [(i + 5) % 8 for i in range(count - 1)])
    yield "restart-stray", restarted(restarts, [piece + b"\x12\x34" for piece in pieces[:-1]] + pieces[-1:])
    yield "restart-stray-marker", restarted(restarts, pieces[:2] + [pieces[2] + b"\xff\x05"] + pieces[3:])
    yield "restart-short", restarted(restarts, pieces[:2] + [pieces[2][: len(pieces[2]) // 2]] + pieces[3:])
    yield "restart-empty", restarted(restarts, pieces[:2] + [b""] + pieces[3:])
    yield "restart-fill", restarted(restarts, pieces[:2] + [pieces[2] + b"\xff\xff"] + pieces[3:])
    found = parts(restarts)
    yield "restart-without-interval", joined([part for part in found if part[0] != 0xDD])
    yield "restart-other-interval", joined([(m, b"\0\3") if m == 0xDD else (m, b) for m, b in found])
    yield "interval-without-restarts", joined([(0xDD, b"\0\2")] + parts(base))
    yield "interval-larger-than-image", joined([(0xDD, b"\xff\xff")] + parts(base))
    scan = parts(base)[-1][1]
    half = len(scan) // 2
    head = parts(base)[:-1]
    yield "restart-inside", joined(head + [(None, scan[:half] + b"\xff\xd0" + scan[half:])])
    yield "marker-inside", joined(head + [(None, scan[:half] + b"\xff\x05" + scan[half:])])
    yield "eoi-inside", joined(head + [(None, scan[:half] + b"\xff\xd9" + scan[half:])])
    yield "app-inside", joined(head + [(None, scan[:half] + b"\xff\xe5\0\4xy" + scan[half:])])
    yield "fill-inside", joined(head + [(None, scan.replace(b"\xff\0", b"\xff\xff\xff\0"))])

    for name, data in (("colour", progressive), ("gray", gray_progressive)):
        found = parts(data)
        ends = [i + 1 for i, (marker, _) in enumerate(found) if marker is None]
        for scans, end in enumerate(ends, 1):
            yield f"scans-{name}-{scans}", joined(found[:end])
            yield f"scans-{name}-{scans}-open", joined(found[:end], b"")
        for scan in range(len(ends)):
            at = ends[scan] - 1
            body = found[at][1]
            yield f"scans-{name}-cut-in-{scan + 1}", joined(found[:at] + [(None, body[: len(body) // 2])])
            yield f"scans-{name}-hole-in-{scan + 1}", joined(found[:at] + [(None, body[: len(body) // 2])] + found[at + 1 :])
            begin = ends[scan - 1] if scan else next(i for i, (m, _) in enumerate(found) if m == 0xDA)
            yield f"scans-{name}-without-{scan + 1}", joined(found[:begin] + found[ends[scan] :])
    yield "scans-interval", joined([(0xDD, b"\0\2")] + parts(progressive))

    source = random.Random(1)
    for name, data in (("420", base), ("gray", gray), ("restarts", restarts), ("progressive", progressive)):
        scan_begin = data.index(b"\xff\xda") + 14
        for flip in range(12):
            damaged = bytearray(data)
            at = source.randrange(scan_begin, len(data) - 2)
            damaged[at] ^= 1 << source.randrange(8)
            yield f"flip-{name}-{flip}", bytes(damaged)

    head, at = parts(base), next(i for i, (m, _) in enumerate(parts(base)) if m == 0xC0)
    frame = head[at][1]
    changed = lambda body: joined(head[:at] + [(0xC0, body)] + head[at + 1 :])
    yield "frame-height-0", changed(frame[:1] + b"\0\0" + frame[3:])
    yield "frame-height-0-dnl", changed(frame[:1] + b"\0\0" + frame[3:])[:-2] + b"\xff\xdc\0\4\0\x48\xff\xd9"
    yield "frame-taller", changed(frame[:1] + struct.pack(">H", 100) + frame[3:])
    yield "frame-lower", changed(frame[:1] + struct.pack(">H", 30) + frame[3:])
    yield "frame-12-bits", changed(b"\x0c" + frame[1:])
    yield "frame-twice", joined(head[: at + 1] + head[at:])
    yield "frame-as-sof1", joined(head[:at] + [(0xC1, frame)] + head[at + 1 :])
    yield "frame-as-sof5", joined(head[:at] + [(0xC5, frame)] + head[at + 1 :])
    yield "frame-none", joined(head[:at] + head[at + 1 :])
    yield "tables-none", joined([part for part in head if part[0] != 0xC4])
    yield "quantization-none", joined([part for part in head if part[0] != 0xDB])
    yield "quantization-16", joined([(m, b"".join(bytes([b[65 * t] | 0x10]) + b"".join(bytes([0, v]) for v in b[65 * t + 1 : 65 * t + 65]) for t in range(len(b) // 65))) if m == 0xDB else (m, b) for m, b in head])
    yield "quantization-0", joined([(m, b[:1] + b"\0\0\0" + b[4:]) if m == 0xDB else (m, b) for m, b in head])
    yield "scan-two-components", joined([(m, b[:1] + b[1:]) if m != 0xDA else (m, b"\2" + b[1:5] + b[7:]) for m, b in head])
    yield from exif_cases(jpeg(photo(24, 16)))
    yield from colour_cases(small)


# -- PNG --------------------------------------------------------------------------------------------------------------

PASSES = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples, colour, depth, *, interlaced=False, head=(), tail=(), palette=None, clear=None):
    """samples: [height, width, channels]."""
    height, width, _ = samples.shape
    raw = b""
    for left, across, top, down in PASSES if interlaced else [(0, 1, 0, 1)]:
        part = samples[top::down, left::across]
        if not part.size:
            continue
        for row in part:
            flat = row.reshape(-1)
            if depth == 16:
                raw += b"\0" + flat.astype(">u2").tobytes()
            else:
                bits = "".join(f"{value:0{depth}b}" for value in flat)
                bits += "0" * (-len(bits) % 8)
                raw += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    out += b"".join(chunk(*c) for c in head)
    if palette is not None:
        out += chunk(b"PLTE", palette)
    if clear is not None:
        out += chunk(b"tRNS", clear)
    return out + chunk(b"IDAT", zlib.compress(raw, 9)) + b"".join(chunk(*c) for c in tail) + chunk(b"IEND", b"")


def png_cases():
    source = np.random.default_rng(3)
    height, width = 13, 19
    for interlaced in (False, True):
        end = "-interlaced" if interlaced else ""
        for colour, channels, name in ((0, 1, "gray"), (2, 3, "rgb"), (4, 2, "gray-alpha"), (6, 4, "rgba")):
            for depth in (1, 2, 4, 8, 16) if colour == 0 else (8, 16):
                samples = source.integers(0, 1 << depth, (height, width, channels))
                yield f"png-{name}-{depth}{end}", png(samples, colour, depth, interlaced=interlaced)
                if colour in (0, 2):
                    clear = b"".join(struct.pack(">H", v) for v in samples[2, 3])
                    yield f"png-{name}-{depth}-trns{end}", png(samples, colour, depth, interlaced=interlaced, clear=clear)
        for depth in (1, 2, 4, 8):
            samples = source.integers(0, 1 << depth, (height, width, 1))
            palette = source.integers(0, 256, 3 << depth, dtype=np.uint8).tobytes()
            yield f"png-palette-{depth}{end}", png(samples, 3, depth, interlaced=interlaced, palette=palette)
            yield f"png-palette-{depth}-trns{end}", png(samples, 3, depth, interlaced=interlaced, palette=palette, clear=bytes(range(1 << depth)))
    samples = source.integers(0, 256, (height, width, 3))
    gray = source.integers(0, 65536, (height, width, 1))
    yield "png-gray-16-low", png(gray % 300, 0, 16)
    whole = png(samples, 2, 8)
    yield "png-palette-short", png(source.integers(0, 16, (height, width, 1)), 3, 4, palette=bytes(range(9)))
    exif = tiff(True, [(0x112, 3, 1, b"\6\0\0\0")])
    yield "png-exif", png(samples, 2, 8, head=[(b"eXIf", exif)])
    yield "png-exif-behind", png(samples, 2, 8, tail=[(b"eXIf", exif)])
    yield "png-gamma", png(samples, 2, 8, head=[(b"gAMA", struct.pack(">I", 100000))])
    yield "png-profile", png(samples, 2, 8, head=[(b"iCCP", b"x\0\0" + zlib.compress(bytes(200)))])
    yield "png-profile-broken", png(samples, 2, 8, head=[(b"iCCP", b"x\0\0" + b"not zlib")])
    yield "png-text", png(samples, 2, 8, head=[(b"zTXt", b"x\0\0" + zlib.compress(bytes(200)))])
    yield "png-sbit-background", png(samples, 2, 8, head=[(b"sBIT", b"\5\6\5"), (b"bKGD", b"\0\1\0\2\0\3")])
    yield "png-no-end", whole[:-12]
    yield "png-half-end", whole[:-6]
    yield "png-trailing", whole + b"garbage"
    for share in (0.1, 0.5, 0.9):
        yield f"png-cut-{share}", whole[: int(share * len(whole))]
    data = whole.index(b"IDAT")
    yield "png-wrong-crc", whole[:-13] + bytes([whole[-13] ^ 1]) + whole[-12:]
    yield "png-wrong-crc-text", png(samples, 2, 8, head=[(b"tEXt", b"x\0y")]).replace(b"x\0y", b"x\0z")
    yield "png-unknown-chunk", png(samples, 2, 8, head=[(b"abCd", b"1234")])
    yield "png-unknown-critical", png(samples, 2, 8, head=[(b"ABCd", b"1234")])
    frames = [photo(20, 14), photo(20, 14).rotate(180)]
    out = io.BytesIO()
    frames[0].save(out, "png", save_all=True, append_images=frames[1:])
    yield "png-animated", out.getvalue()


# -- WebP and BMP -----------------------------------------------------------------------------------------------------


def webp_cases():
    one = photo(33, 27)
    clear = one.copy()
    clear.putalpha(photo(33, 27).convert("L").transpose(Image.FLIP_LEFT_RIGHT))
    hollow = clear.copy()
    hollow.paste((200, 100, 50, 0), (5, 5, 20, 15))

    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "webp", **options)
        return out.getvalue()

    yield "webp-lossy-alpha", save(clear, quality=70)
    yield "webp-lossy-hollow", save(hollow, quality=70)
    yield "webp-lossless-hollow", save(hollow, lossless=True)
    yield "webp-lossless-exact", save(hollow, lossless=True, exact=True)
    exif = b"Exif\0\0" + tiff(True, [(0x112, 3, 1, b"\6\0\0\0")])
    yield "webp-exif", save(one, lossless=True, exif=exif)
    yield "webp-exif-bare", save(one, lossless=True, exif=exif[6:])
    yield "webp-profile", save(one, quality=60, icc_profile=bytes(100))
    for name, first in (("opaque", one), ("clear", clear), ("hollow", hollow)):
        for lossless in (False, True):
            end = "lossless" if lossless else "lossy"
            yield f"webp-animated-{name}-{end}", save(first, save_all=True, append_images=[one.rotate(180)], lossless=lossless, duration=100, background=(9, 200, 30, 128))
    whole = save(one, quality=70)
    for share in (0.3, 0.6, 0.95):
        yield f"webp-cut-{share}", whole[: int(share * len(whole))]
    yield "webp-trailing", whole + b"garbage"


def bmp(width, height, bits, compression, body, *, palette=b"", masks=b"", header=40, colours=0, clear=0):
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 2835, 2835, colours, 0)
    inside = masks if header >= 52 else b""
    info += inside + bytes(header - 40 - len(inside))
    behind = b"" if header >= 52 else masks
    begin = 14 + header + len(behind) + len(palette)
    return b"BM" + struct.pack("<IHHI", begin + len(body), 0, 0, begin) + info + behind + palette + body


def bmp_cases():
    source = np.random.default_rng(5)
    width, height = 19, 11
    rows = lambda stride: b"".join(source.integers(0, 256, width * stride // 8 + 1, dtype=np.uint8).tobytes()[: (width * stride + 7) // 8].ljust((width * stride + 31) // 32 * 4, b"\0") for _ in range(height))
    palette = lambda count: b"".join(source.integers(0, 256, 3, dtype=np.uint8).tobytes() + b"\0" for _ in range(count))
    for tall, end in ((height, ""), (-height, "-down")):
        for bits in (1, 4, 8):
            yield f"bmp-{bits}{end}", bmp(width, tall, bits, 0, rows(bits), palette=palette(1 << bits))
        for bits in (16, 24, 32):
            yield f"bmp-{bits}{end}", bmp(width, tall, bits, 0, rows(bits))
    m = lambda *masks: struct.pack(f"<{len(masks)}I", *masks)
    yield "bmp-565", bmp(width, height, 16, 3, rows(16), masks=m(0xF800, 0x7E0, 0x1F))
    yield "bmp-555", bmp(width, height, 16, 3, rows(16), masks=m(0x7C00, 0x3E0, 0x1F))
    yield "bmp-444", bmp(width, height, 16, 3, rows(16), masks=m(0xF00, 0xF0, 0xF))
    yield "bmp-565-v4", bmp(width, height, 16, 3, rows(16), masks=m(0xF800, 0x7E0, 0x1F, 0), header=108)
    yield "bmp-32-masks", bmp(width, height, 32, 3, rows(32), masks=m(0xFF0000, 0xFF00, 0xFF))
    yield "bmp-32-rgbx", bmp(width, height, 32, 3, rows(32), masks=m(0xFF000000, 0xFF0000, 0xFF00))
    yield "bmp-32-v4", bmp(width, height, 32, 3, rows(32), masks=m(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=108)
    yield "bmp-32-v4-rgba", bmp(width, height, 32, 3, rows(32), masks=m(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=108)
    yield "bmp-32-v5", bmp(width, height, 32, 3, rows(32), masks=m(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=124)
    yield "bmp-32-v4-plain", bmp(width, height, 32, 0, rows(32), header=108)
    yield "bmp-24-v5", bmp(width, height, 24, 0, rows(24), header=124)
    yield "bmp-8-few", bmp(width, height, 8, 0, bytes(b % 9 for b in rows(8)), palette=palette(7), colours=7)
    core = struct.pack("<IHHHH", 12, width, height, 1, 24)
    yield "bmp-core", b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + core + rows(24)
    core = struct.pack("<IHHHH", 12, width, height, 1, 4)
    yield "bmp-core-4", b"BM" + struct.pack("<IHHI", 0, 0, 0, 26 + 48) + core + bytes(range(48)) + rows(4)
    body = rows(24)
    yield "bmp-cut", bmp(width, height, 24, 0, body)[:-40]
    yield "bmp-cut-padding", bmp(width, height, 24, 0, body)[:-3]
    yield "bmp-trailing", bmp(width, height, 24, 0, body) + b"garbage"

    def runs(*rows):
        return b"".join(rows)

    colours = palette(256)
    full = lambda value: bytes([width, value])
    mixed = b"\5\7" + b"\0\6" + bytes(range(6)) + b"\0\5" + bytes(range(5)) + b"\0" + bytes([width - 16, 9])
    eol, eob = b"\0\0", b"\0\1"
    yield "bmp-rle8", bmp(width, height, 8, 1, runs(*[row + eol for row in [full(3), mixed] * 5 + [full(4)]], eob), palette=colours)
    yield "bmp-rle8-no-last-eol", bmp(width, height, 8, 1, runs(*[full(i) + eol for i in range(10)], full(9), eob), palette=colours)
    yield "bmp-rle8-no-eob", bmp(width, height, 8, 1, runs(*[full(i) + eol for i in range(height)]), palette=colours)
    yield "bmp-rle8-no-eol", bmp(width, height, 8, 1, runs(*[full(i) for i in range(height)], eob), palette=colours)
    yield "bmp-rle8-short-rows", bmp(width, height, 8, 1, runs(*[b"\5\7" + eol for _ in range(height)], eob), palette=colours)
    yield "bmp-rle8-empty-rows", bmp(width, height, 8, 1, runs(*[(full(i) if i % 3 else b"") + eol for i in range(height)], eob), palette=colours)
    yield "bmp-rle8-early-end", bmp(width, height, 8, 1, runs(full(1) + eol, full(2) + eol, eob), palette=colours)
    yield "bmp-rle8-delta", bmp(width, height, 8, 1, runs(full(1) + eol, b"\3\4", b"\0\2\4\2", b"\2\6", eol, *[full(i) + eol for i in range(7)], eob), palette=colours)
    yield "bmp-rle8-long-run", bmp(width, height, 8, 1, runs(*[bytes([width + 3, i]) + eol for i in range(height)], eob), palette=colours)
    yield "bmp-rle8-cut", bmp(width, height, 8, 1, runs(full(1) + eol, full(2) + eol), palette=colours)
    yield "bmp-rle4", bmp(width, height, 4, 2, runs(*[bytes([width, 0x12 + i]) + eol for i in range(height)], eob), palette=colours[:64])
    yield "bmp-rle4-absolute", bmp(width, height, 4, 2, runs(*[b"\0\6\x12\x34\x56\0" + bytes([width - 6, 0x9A]) + eol for i in range(height)], eob), palette=colours[:64])
    yield "bmp-rle4-absolute-odd", bmp(width, height, 4, 2, runs(*[b"\0\5\x12\x34\x56\0" + bytes([width - 5, 0x9A]) + eol for i in range(height)], eob), palette=colours[:64])
    yield "bmp-rle4-early-end", bmp(width, height, 4, 2, runs(bytes([width, 0x12]) + eol, eob), palette=colours[:64])


# ---------------------------------------------------------------------------------------------------------------------

NAMES = {b"\xff\xd8": "jpg", b"\x89P": "png", b"RI": "webp", b"BM": "bmp"}


def opencv(data):
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if found is None else np.ascontiguousarray(found[:, :, ::-1])


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def told(read, data):
    try:
        pixels = read(data)
    except Exception:
        pixels = None
    if pixels is None:
        return "refused - -"
    return f"{pixels.shape[1]} {pixels.shape[0]} {fnv1a64(pixels.tobytes())}"


def main():
    print("opencv", cv2.__version__, "pillow", PIL.__version__)
    cases = [*jpeg_cases(), *png_cases(), *webp_cases(), *bmp_cases()]
    cases += [(path.stem, path.read_bytes()) for path in sorted((HERE / "rare").glob("*"))]
    lines, archive = [], {}
    for name, data in cases:
        assert name not in archive, name
        archive[name] = data
        lines.append(f"{name} {told(opencv, data)} {told(pillow, data)}\n")
    (HERE / "odd.txt").write_text("".join(lines))
    with open(HERE / "odd.bin", "wb") as out:
        for name, data in archive.items():
            out.write(struct.pack("<HI", len(name), len(data)) + name.encode() + data)
    print(len(archive), "files,", sum(map(len, archive.values())), "bytes")


if __name__ == "__main__":
    main()
