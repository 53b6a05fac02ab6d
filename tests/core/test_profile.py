"""The configuration: what is read, what is refused in which words, who may have written it."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import random
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings, strategies as st

from tegmen.errors import ConfigError, InsecureConfig, TegmenError
from tegmen.profile import Config, Profile, Recipient, load, loads, policy_digest
from tegmen.registry import Allowed

FULL = """\
version = 1
sources = ["dicom", "file"]

[plugins]
allow = ["tegmen_aead", { module = "acme_rot", distribution = "acme-rot" }]

[stores.local]
kind = "file"
path = "keys"

[stores.recovery]
kind = "file"
path = "/safe"

[policy]
name = "baseline-2026"
seal = ["aes-256-gcm"]
open = ["aes-256-gcm", "chacha20-poly1305"]
identify-only = ["sm4-ecb"]
tiers = ["standard"]
min-recipients = 1

[policy.floor]
tiers = ["standard"]
min-recipients = 2
require-stores = ["recovery"]

[profiles.hospital-default]
description = "every image"
cipher = "aes-256-gcm"
carrier = "dicom"
recipients = ["local/images", "recovery/recovery"]
context = ["trust", "purpose", "trust"]
public = { site = "north" }
segment-size = 65536
verify = false

[profiles.hospital-default.options.dicom]
clear = "technical"

[profiles.hospital-files]
cipher = ["aes-256-gcm"]
carrier = "tgm"
recipients = ["local/images", "recovery/arn:aws:kms:eu-west-2:1:key/ab-cd"]

[[rules]]
name = "ct-and-mr"
found = { Modality = ["CT", "MR"] }
declared = { trust = "north" }
use = "hospital-default"
tier = "research"

[[rules]]
name = "reports"
found = { Modality = "SR" }
deny = "reports are not images"

[[rules]]
name = "everything-else"
use = "hospital-files"
"""

LEAST = """\
version = 1
[[rules]]
name = "nothing"
deny = "not set up yet"
"""


def read(text: str) -> Config:
    return loads(text, Path("/base"))


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert type(caught.value) is ConfigError
    return caught.value


def changed(old: str, new: str) -> str:
    assert FULL.count(old) >= 1, old
    return FULL.replace(old, new, 1)


def test_the_whole_of_it_is_read() -> None:
    config = read(FULL)
    assert config.sources == ("dicom", "file")
    assert config.plugins.allow == (Allowed("tegmen_aead"), Allowed("acme_rot", "acme-rot"))
    assert config.stores["local"].kind == "file"
    assert config.stores["local"].alias == "local"
    assert config.stores["local"].options == {"path": "keys"}
    assert config.policy.identify_only == ("sm4-ecb",)
    assert config.policy.floor.require_stores == ("recovery",)
    assert config.profiles["hospital-default"] == Profile(
        name="hospital-default",
        description="every image",
        cipher="aes-256-gcm",
        carrier="dicom",
        recipients=(Recipient("local", "images"), Recipient("recovery", "recovery")),
        context=("purpose", "trust"),
        public={"site": "north"},
        segment_size=65536,
        verify=False,
        options={"dicom": {"clear": "technical"}},
    )
    files = config.profiles["hospital-files"]
    assert files.cipher == "aes-256-gcm"
    assert str(files.recipients[1]) == "recovery/arn:aws:kms:eu-west-2:1:key/ab-cd"
    assert (files.segment_size, files.verify, files.context) == (1 << 20, True, ())
    assert [rule.name for rule in config.rules] == ["ct-and-mr", "reports", "everything-else"]
    assert config.rules[0].found == {"Modality": ("CT", "MR")}
    assert config.rules[0].tier == "research"
    assert (config.path, config.base) == (None, Path("/base"))


def test_what_is_left_out_has_careful_defaults() -> None:
    config = read(LEAST)
    assert config.plugins.allow is None
    assert config.policy.tiers == ("standard",)
    assert config.policy.floor.min_recipients == 1
    assert config.sources == ("file",)


@pytest.mark.parametrize(
    ("old", "new", "where", "hint"),
    [
        ("sources =", "source =", "source", "sources"),
        ("allow =", "alow =", "plugins.alow", "allow"),
        ("distribution =", "distributon =", "plugins.allow: distributon", "distribution"),
        ("identify-only", "identify_only", "policy.identify_only", "identify-only"),
        ("require-stores", "requires", "policy.floor.requires", "require-stores"),
        ("carrier =", "carier =", "profiles.hospital-default.carier", "carrier"),
        ("found =", "fond =", "rules #1.fond", "found"),
    ],
)
def test_an_unknown_key_is_refused_wherever_it_stands(
    old: str, new: str, where: str, hint: str
) -> None:
    error = refused(changed(old, new))
    assert f"tegmen.toml: {where}: unknown key" in str(error)
    assert f'did you mean "{hint}"?' in error.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "", "version: is missing"),
        ("version = 1", "version = 2", "version: 2 is not 1"),
        ("version = 1", "version = true", "version: true is not 1"),
        ('["dicom", "file"]', "[]", "sources: is empty"),
        ('["dicom", "file"]', '["file", "file"]', "sources: 'file' is there twice"),
        ('["dicom", "file"]', '"file"', "sources: 'file' is not a list"),
        ('["tegmen_aead", ', "[5, ", "plugins.allow #1: 5 is not a module's name or {"),
        ('kind = "file"', "", "stores.local.kind: is missing"),
        ('[stores.local]\nkind = "file"', "[stores]\nlocal = 5\n[x]", "stores.local: 5 is not a"),
        ("[stores.local]", '[stores."LOCAL"]', "stores.LOCAL: 'LOCAL' is not a name"),
        ("[stores.local]", "[stores.locale]", "recipients #1: there is no store 'local'"),
        ('path = "keys"', "path = 1979-05-27", "stores.local.path: datetime.date"),
        ('path = "keys"', "path = 0x" + "f" * 5000, "stores.local.path: an integer beyond"),
        ('name = "baseline-2026"', 'name = "Baseline 2026"', "policy.name: 'Baseline 2026'"),
        ('seal = ["aes', 'seal = ["sm4-gcm", "aes', "policy.seal: 'sm4-gcm' may seal but not open"),
        ('["sm4-ecb"]', '["aes-256-gcm"]', "policy.identify-only: 'aes-256-gcm' is also among"),
        ('tiers = ["standard"]', 'tiers = ["standrd"]', "policy.tiers #1: 'standrd' is not one of"),
        ("min-recipients = 1", "min-recipients = 0", "an integer from 1 to 32"),
        ("min-recipients = 1", "min-recipients = true", "true is not an integer from 1 to 32"),
        ('["recovery"]', '["recover"]', "policy.floor.require-stores: there is no store 'recover'"),
        ("hospital-default]", "hospital.x]", "profiles.hospital.x: unknown key"),
        ("hospital-files]", "Hospital]", "profiles.Hospital: 'Hospital' is not a name"),
        ('"aes-256-gcm"\ncarrier', '["a", "b"]\ncarrier', "cipher: a list is not the name of one"),
        ('"aes-256-gcm"\ncarrier', "5\ncarrier", "cipher: 5 is not the name of one"),
        (
            '["local/images", "rec',
            '["images", "rec',
            "recipients #1: 'images' is not \"store/key\"",
        ),
        ('["local/images", "rec', '["local/", "rec', "recipients #1: 'local/' is not"),
        ('["local/images", "rec', '["local/a b", "rec', "recipients #1: 'a b' is not a key's name"),
        ('["local/images", "rec', '["local/../x", "rec', "'../x' is not a key's name"),
        ('["local/images", "rec', '["local/a/../x", "rec', "'a/../x' is not a key's name"),
        (
            '["local/images", "recovery/recovery"]',
            '["local/a", "local/a"]',
            "recipients: 'local/a' is there twice",
        ),
        ('["local/images", "recovery/recovery"]', "[]", "recipients: 0 of them"),
        ('context = ["trust"', 'context = ["ward 5"', "context: 'ward 5' is not a name"),
        ('context = ["trust"', 'context = ["site"', "public.site: is also in context"),
        ('site = "north"', 'site = "Mu\\u0308ller"', "public.site: is not in Unicode normal"),
        ('site = "north"', "site = 5", "public.site: 5 is not a string"),
        ("65536", "4095", "segment-size: 4095 is not an integer from 4096 to 67108864"),
        ("65536", "67108865", "segment-size: 67108865 is not an integer"),
        ("65536", '"65536"', "segment-size: '65536' is not an integer"),
        ("verify = false", "verify = 0", "verify: 0 is not true or false"),
        ("options.dicom]", "options.dicon]", "options.dicon: is neither the cipher nor the"),
        ('"ct-and-mr"', '"CT and MR"', "rules #1.name: 'CT and MR' is not a name"),
        ('"ct-and-mr"', '"reports"', "rules: 'reports' is there twice"),
        ('["CT", "MR"]', "[]", "rules #1.found.Modality: a list is not a string, or a list"),
        ('["CT", "MR"]', '["CT", 5]', "rules #1.found.Modality #2: 5 is not a string"),
        ('["CT", "MR"]', '"CT\\\\MR"', "rules #1.found.Modality: a condition is about one value"),
        ('use = "hospital-default"', 'use = "hospital"', "rules #1.use: there is no profile"),
        ('use = "hospital-default"', "", "rules #1: must have one of use and deny"),
        ("deny =", 'use = "hospital-files"\ndeny =', "rules #2: must have one of use and deny"),
        ('deny = "r', 'tier = "legacy"\ndeny = "r', "rules #2.tier: means nothing in a rule"),
        ('tier = "research"', 'tier = "reserch"', "rules #1.tier: 'reserch' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_place_and_value(old: str, new: str, message: str) -> None:
    assert message in str(refused(changed(old, new)))


def test_a_wrong_reference_is_told_the_nearest_name() -> None:
    error = refused(changed('use = "hospital-default"', 'use = "hospital-defalt"'))
    assert error.hint == 'did you mean "hospital-default"?'


CT = 'found = { Modality = "CT" }'


@pytest.mark.parametrize(
    ("first", "second", "reachable"),
    [
        ("", CT, False),
        ("", "", False),
        (CT, CT, False),
        ('found = { Modality = ["MR", "CT"] }', CT, False),
        ('found = { Modality = "C*" }', 'found = { Modality = ["CT", "CR"] }', False),
        ('found = { Modality = "*" }', 'found = { Modality = "C*" }', False),
        (CT, 'found = { Modality = "CT", Rows = "9" }', False),
        (CT, f'{CT}\ndeclared = {{ trust = "x" }}', False),
        (CT, 'found = { Modality = ["CT", "MR"] }', True),
        ('found = { Modality = "CT", Rows = "9" }', CT, True),
        (CT, 'declared = { Modality = "CT" }', True),
        (CT, 'found = { Modality = "C*" }', True),
        ('found = { Modality = "*" }', 'found = { Rows = "9" }', True),
        (CT, 'found = { Modality = "ct" }', True),
    ],
)
def test_a_rule_that_an_earlier_one_shadows_is_an_error(
    first: str, second: str, reachable: bool
) -> None:
    rules = [f'[[rules]]\nname = "r{at}"\ndeny = "x"\n' for at in (1, 2, 3)]
    text = f"version = 1\n{rules[0]}{first}\n{rules[1]}{second}\n{rules[2]}"
    if reachable:
        assert len(read(text).rules) == 3
    else:
        assert "rules #2: unreachable rule 'r2': 'r1' before it" in str(refused(text))


@pytest.mark.parametrize(
    "text", ["version = 1\nrules = []", LEAST + 'declared = { trust = "north" }', LEAST + CT]
)
def test_rules_must_end_in_one_without_conditions(text: str) -> None:
    error = refused(text)
    assert "rules: the last rule must have no conditions" in str(error)
    assert "everything-else" in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "=",
        "\x00",
        "version = 1\nversion = 1",
        "x = " + "[" * 4000,
        "x = " + "9" * 5000,
        "a.b=1\na=2",
    ],
)
def test_what_is_not_toml_is_a_config_error(text: str) -> None:
    assert str(refused(text)).startswith("tegmen.toml: n")


def test_deep_dotted_keys_are_a_config_error() -> None:
    refused("version = 1\n[stores.x]\nkind = 'file'\n" + ".".join("a" * 3000) + " = 1")


# --------------------------------------------------------------------------- the digest


def test_the_policy_digest_is_of_meaning_not_of_spelling_or_stores() -> None:
    digest = policy_digest(read(FULL))
    assert len(digest) == 32
    same = FULL.replace('cipher = ["aes-256-gcm"]', 'cipher = "aes-256-gcm"')
    same = same.replace('path = "keys"', 'path = "elsewhere"').replace("# ", "#")
    same = same.replace('"trust", "purpose", "trust"', '"purpose", "trust"')
    assert policy_digest(read(same)) == digest
    for old, new in (
        ("segment-size = 65536", "segment-size = 65537"),
        ('clear = "technical"', 'clear = "none"'),
        ('deny = "reports are not images"', 'deny = "no"'),
        ("min-recipients = 2", "min-recipients = 1"),
        ("local/images", "local/pictures"),
    ):
        assert policy_digest(read(changed(old, new))) != digest


def test_the_policy_digest_is_sha_256_of_deterministic_cbor() -> None:
    meaning = {
        "version": 1,
        "policy": {
            "name": "default",
            "seal": None,
            "open": None,
            "identify_only": [],
            "tiers": ["standard"],
            "min_recipients": 1,
            "floor": {
                "tiers": ["standard", "legacy", "research"],
                "min_recipients": 1,
                "require_stores": [],
            },
        },
        "profiles": {},
        "rules": [
            {
                "name": "nothing",
                "found": {},
                "declared": {},
                "use": None,
                "deny": "not set up yet",
                "tier": None,
            }
        ],
    }
    expected = hashlib.sha256(cbor2.dumps(meaning, canonical=True)).digest()
    assert policy_digest(read(LEAST)) == expected


# --------------------------------------------------------------------------- the file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "my site"
    folder.mkdir(mode=0o755)
    path = folder / "tegmen.toml"
    path.write_text(FULL)
    path.chmod(0o644)
    return path


def test_a_file_is_read_with_its_folder_as_base(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    config = load("tegmen.toml")
    assert (config.path, config.base, config.where) == (file, file.parent, "tegmen.toml")


@pytest.fixture
def shared_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group that files here have is one that several users are in."""
    honest = grp.getgrgid
    monkeypatch.setattr(
        grp, "getgrgid", lambda gid: grp.struct_group((honest(gid)[0], "x", gid, ["somebody"]))
    )


@pytest.mark.usefixtures("shared_group")
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(InsecureConfig, match=rf"tegmen\.toml may be .* \(mode {mode:04o}\)") as e:
        load(file)
    assert e.value.hint == f"run: chmod go-w '{file}'"


def test_the_private_group_of_the_owner_may_write(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ubuntu makes one for each user, with the umask 002."""
    owner = pwd.getpwuid(os.geteuid())
    private = grp.struct_group((owner.pw_name, "x", owner.pw_gid, []))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: private)
    os.chown(file, -1, owner.pw_gid)
    os.chown(file.parent, -1, owner.pw_gid)
    file.chmod(0o664)
    file.parent.chmod(0o775)
    assert load(file).version == 1
    file.chmod(0o666)
    with pytest.raises(InsecureConfig):
        load(file)


def test_a_group_that_has_no_name_is_not_private(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(gid: int) -> grp.struct_group:
        raise KeyError(gid)

    monkeypatch.setattr(grp, "getgrgid", nameless)
    file.chmod(0o664)
    with pytest.raises(InsecureConfig, match="may be written by others"):
        load(file)


@pytest.mark.usefixtures("shared_group")
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_folder_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.parent.chmod(mode)
    with pytest.raises(InsecureConfig, match="my site may be written by others") as caught:
        load(file)
    assert caught.value.hint == f"run: chmod go-w '{file.parent}'"


def test_a_sticky_folder_is_accepted_for_ones_own_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.chmod(0o1777)
    assert load(file).version == 1
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    if os.getuid():
        with pytest.raises(InsecureConfig, match="belongs to another user"):
            load(file)


def test_in_a_sticky_folder_a_strangers_file_is_refused(file: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a file away")
    file.parent.chmod(0o1777)
    os.chown(file, 12345, 12345)
    with pytest.raises(InsecureConfig, match="belongs to another user"):
        load(file)


def test_a_strangers_file_or_folder_is_refused(file: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a file away")
    for entry in (file, file.parent):
        os.chown(entry, 12345, 12345)
        with pytest.raises(InsecureConfig, match=rf"{entry} belongs to another user \(uid 12345\)"):
            load(file)
        os.chown(entry, 0, 0)
    assert load(file).version == 1


def test_a_link_that_a_stranger_put_there_is_refused(file: Path, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a file away")
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(InsecureConfig, match=r"link\.toml belongs to another user"):
        load(link)


def test_folders_above_count_too(file: Path, tmp_path: Path) -> None:
    deep = file.parent / "one" / "two"
    deep.mkdir(parents=True)
    inner = file.rename(deep / "tegmen.toml")
    assert load(inner).version == 1
    file.parent.chmod(0o777)
    with pytest.raises(InsecureConfig, match=r"my site may be written by others \(mode 0777\)"):
        load(inner)
    file.parent.chmod(0o1777)  # as /tmp
    assert load(inner).version == 1


def test_a_link_is_no_way_around_the_folder(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    assert load(link).base == tmp_path
    file.parent.chmod(0o777)
    with pytest.raises(InsecureConfig, match="my site"):
        load(link)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist") as caught:
        load(tmp_path / "tegmen.toml")
    assert "tegmen init" in caught.value.hint


def test_what_is_no_text_file_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"version = 1 # \xff")
    with pytest.raises(ConfigError, match="not UTF-8 text: byte 14"):
        load(file)
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="more than 1048576"):
        load(file)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ConfigError, match="not a regular file"):
        load(fifo)
    with pytest.raises(ConfigError, match="cannot read"):
        load(file / "tegmen.toml")


# --------------------------------------------------------------------------- anything at all


@given(st.text())
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    only_config_errors(text)


@given(st.text(alphabet='[]{}=."\n 10truefalsx-', max_size=60))
def test_any_toml_like_text_is_a_config_or_a_config_error(text: str) -> None:
    only_config_errors(f"version = 1\n{text}")


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=300)
def test_a_mutated_config_is_a_config_or_a_config_error(seed: int, times: int) -> None:
    only_config_errors(mutated(seed, times))


VALUES = ["5", "-1", "true", "nan", '""', '"x"', "[]", '["x"]', "{}", "{ x = 1 }", "[[1]]"]
VALUES += ["1979-05-27", "07:32:00", "0x" + "f" * 40, "1e400", '"\\u0000"', '["local/images"]']


def mutated(seed: int, times: int) -> str:
    """Lines dropped, doubled, swapped, or given another value or key; characters cut."""
    chance = random.Random(seed)
    lines = FULL.splitlines()
    for _ in range(times):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        replacement = f"{key}= {chance.choice(VALUES)}" if equals else lines[at][:-1]
        lines[at] = chance.choice(["", lines[other], replacement, replacement, lines[at][1:]])
    return "\n".join(lines)


def only_config_errors(text: str) -> None:
    try:
        config = read(text)
    except TegmenError as error:
        assert isinstance(error, ConfigError)
        assert str(error).replace("\n", "").isprintable()
        assert error.hint.isprintable()
    else:
        assert len(policy_digest(config)) == 32
