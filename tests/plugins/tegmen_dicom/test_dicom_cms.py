"""The CMS message around the envelope, read by other programs and by asn1crypto."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto.cms import EncryptedContentInfo
from asn1crypto.core import ObjectIdentifier
from asn1crypto.parser import emit, parse

from tegmen.errors import FormatError
from tegmen.files import MemoryReader
from tegmen.testing.fakes import noise
from tegmen_dicom import cms
from tegmen_dicom.walk import Walker

SIZES = (0, 1, 127, 128, 255, 256, 65535, 65536, 300_000)
Run = Callable[..., subprocess.CompletedProcess[str]]


def message(octets: bytes) -> bytes:
    before, after = cms.around(len(octets))
    return before + octets + after


def find(data: bytes) -> bytes | None:
    found = cms.find(Walker(MemoryReader(data)), 0, len(data))
    return None if found is None else data[found[0] : sum(found)]


def members(contents: bytes) -> list[tuple[int, bytes, bytes]]:
    """Identifier octet, contents and whole of each value in `contents`."""
    found = []
    while contents:
        _, _, _, header, value, _ = parse(contents)
        found.append((header[0], value, header + value))
        contents = contents[len(header) + len(value) :]
    return found


def der(tag: int, contents: bytes) -> bytes:
    return emit(tag >> 6, tag >> 5 & 1, tag & 31, contents)


def envelope(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Version, RecipientInfos, EncryptedContentInfo and MAC of a message."""
    ((_, info, _),) = members(data)
    (_, content_type) = [value for _, value, _ in members(info)]
    assert members(info)[0][2] == ObjectIdentifier("1.2.840.113549.1.9.16.1.23").dump()
    ((_, inside, _),) = members(content_type)
    return members(inside)


@pytest.mark.parametrize("size", SIZES)
def test_the_octets_come_back(size: int) -> None:
    assert find(message(noise(size))) == noise(size)


@pytest.mark.parametrize("size", SIZES)
def test_asn1crypto_reads_the_structure(size: int) -> None:
    version, recipients, encrypted, mac = envelope(message(noise(size)))
    assert (version[2], recipients[0], mac[0], len(mac[1])) == (b"\2\1\0", 0x31, 0x04, 16)
    ((tag, ori, _),) = members(recipients[1])
    assert tag == 0xA4, "[4] IMPLICIT"
    kind, value = members(ori)
    assert ObjectIdentifier.load(kind[2]).native == cms.ORI_TYPE
    assert (value[0], value[1]) == (0x04, noise(size))
    info = EncryptedContentInfo.load(encrypted[2], strict=True)
    assert info["content_type"].native == "data"
    algorithm = info["content_encryption_algorithm"]
    assert algorithm["algorithm"].dotted == "2.16.840.1.101.3.4.1.46", "aes256-GCM, RFC 5084"
    nonce, tag_length = members(members(algorithm.contents)[1][1])
    assert (len(nonce[1]), tag_length[2]) == (12, b"\2\1\x10")
    assert len(info["encrypted_content"].native) == 20


def test_the_type_is_a_uuid() -> None:
    root, arc, number = cms.ORI_TYPE.split(".")
    assert (root, arc) == ("2", "25")
    assert int(number) < 1 << 128
    assert ObjectIdentifier(cms.ORI_TYPE).dump() in message(b"")


def test_lengths_are_known_before() -> None:
    for size in SIZES:
        assert [len(part) for part in cms.around(size)] == [len(part) for part in cms.around(size)]
    assert cms.around(1 << 33)[0].endswith(b"\x85" + (1 << 33).to_bytes(5, "big"))


def test_nobody_has_the_content_key_twice() -> None:
    assert cms.around(10)[1] != cms.around(10)[1]


def with_recipients(octets: bytes, before: bytes, after: bytes) -> bytes:
    """The message with other recipients around ours."""
    version, ours, encrypted, mac = envelope(message(octets))
    recipients = der(0x31, before + ours[1] + after)
    inside = der(0x30, version[2] + recipients + encrypted[2] + mac[2])
    kind = ObjectIdentifier("1.2.840.113549.1.9.16.1.23").dump()
    return der(0x30, kind + der(0xA0, inside))


def test_other_recipients_are_passed_over() -> None:
    foreign_type = ObjectIdentifier("1.2.3.4").dump()
    ktri = der(0x30, noise(500, 1))
    other = der(0xA4, foreign_type + der(0x04, noise(90, 2)))
    assert find(with_recipients(noise(5000), ktri + other, other)) == noise(5000)


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\x30",
        b"\x30\x80\0\0",
        b"\x30\x03\x02\x01\x00",
        noise(300),
        der(0x30, ObjectIdentifier("1.2.840.113549.1.7.3").dump() + der(0xA0, der(0x30, b""))),
    ],
)
def test_other_messages_hold_nothing(foreign: bytes) -> None:
    assert find(foreign) is None


def test_a_message_for_others_only_holds_nothing() -> None:
    plain = message(noise(100))
    mine = ObjectIdentifier(cms.ORI_TYPE).dump()
    assert find(plain.replace(mine, mine[:-1] + b"\0")) is None


@pytest.mark.parametrize("change", [1, 3, 20, 40, -1])
def test_damage_before_our_recipient_is_said(change: int) -> None:
    data = message(noise(70_000))
    damaged = bytearray(data)
    damaged[change if change > 0 else data.index(b"\xa4")] ^= 0x40
    with pytest.raises(FormatError, match="damaged"):
        find(bytes(damaged))


def test_a_cut_message_is_said() -> None:
    with pytest.raises(FormatError, match="damaged"):
        find(message(noise(70_000))[:-1])


@pytest.mark.parametrize("size", [100, 12_345])
def test_openssl_prints_it(run: Run, tmp_path: Path, size: int) -> None:
    path = tmp_path / "message.der"
    path.write_bytes(message(noise(size)))
    printed = run("openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", path)
    assert printed.returncode == 0, printed.stderr
    assert "authEnvelopedData" in printed.stdout
    assert "aes-256-gcm" in printed.stdout.lower()
    assert cms.ORI_TYPE in printed.stdout
    again = run(
        "openssl", "cms", "-cmsout", "-inform", "DER", "-outform", "DER", "-in", path,
        "-out", tmp_path / "again.der",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.der").read_bytes() == path.read_bytes(), "it is DER already"
