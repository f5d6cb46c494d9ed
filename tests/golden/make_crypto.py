#!/usr/bin/env python3
"""Made the files in tests/golden/crypto, once, for format version 1. Do not run it over them: tests
read the committed bytes, and a change of a format gets new files beside these.

An implementation of its own, from the format descriptions in lib/crypto/*.h and RFC 9180, on
hashlib, hmac and the Python package `cryptography`: it shares no code with walden, so that the two
agree only if the description is right. All secrets below are for tests.

    python3 tests/golden/make_crypto.py <empty directory>
"""
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def seed(name):
    """32 fixed bytes for each name."""
    return hashlib.sha256(b"walden golden " + name.encode()).digest()


def hkdf_expand(key, info, size):
    out, block, counter = b"", b"", 1
    while len(out) < size:
        block = mac(key, block, info, bytes([counter]))
        out += block
        counter += 1
    return out[:size]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def x_public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def ed_public(secret):
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


# HPKE ---------------------------------------------------------------------------------------------
KEM, SUITE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"


def extract(suite, salt, label, key):
    return mac(salt or bytes(32), b"HPKE-v1", suite, label, key)


def expand(suite, key, label, info, size):
    return hkdf_expand(key, struct.pack(">H", size) + b"HPKE-v1" + suite + label + info, size)


def derive_secret_key(material):
    return expand(KEM, extract(KEM, b"", b"dkp_prk", material), b"sk", b"", 32)


def hpke_seal(ephemeral, recipient, info, aad, plain):
    enc = x_public(ephemeral)
    agreed = X25519PrivateKey.from_private_bytes(ephemeral).exchange(
        X25519PublicKey.from_public_bytes(recipient))
    shared = expand(KEM, extract(KEM, b"", b"eae_prk", agreed), b"shared_secret", enc + recipient, 32)
    context = (b"\x00" + extract(SUITE, b"", b"psk_id_hash", b"") +
               extract(SUITE, b"", b"info_hash", info))
    secret = extract(SUITE, shared, b"secret", b"")
    key = expand(SUITE, secret, b"key", context, 32)
    nonce = expand(SUITE, secret, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plain, aad)


# Bundles and slots --------------------------------------------------------------------------------
REPOSITORY = seed("repository")[:16]
ROOT = seed("root")
CLUSTER = "main"


def bundle(kind, epoch_count):
    admin = seed(f"admin {epoch_count}")
    out = struct.pack("<HB", 1, 2 if kind == "read" else 1) + REPOSITORY + ed_public(admin)
    out += struct.pack("<I", epoch_count)
    for number in range(1, epoch_count + 1):
        secret = seed(f"epoch {number}")
        out += struct.pack("<I", number) + x_public(secret) + seed(f"psk {number}")
        out += secret if kind == "read" else b""
    if kind == "read":
        return out + ROOT + admin
    keys = [hkdf_expand(ROOT, purpose + b"\x00" + CLUSTER.encode(), 32)
            for purpose in (b"walden/v1/content-id", b"walden/v1/metadata")]
    return out + struct.pack("<H", len(CLUSTER)) + CLUSTER.encode() + keys[0] + keys[1]


def text(value):
    return struct.pack("<H", len(value)) + value.encode()


def slot(name, kind, source, generation):
    plain = bundle(kind, generation)
    if source == 1:
        unlock, scrypt, slot_id = seed(f"{name} key"), struct.pack("<QII", 0, 0, 0) + bytes(32), \
            seed(f"{name} id")[:16]
    else:
        salt = seed(f"{name} salt")
        unlock = hashlib.scrypt(f"{name} passphrase".encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
        scrypt, slot_id = struct.pack("<QII", 1024, 8, 1) + salt, seed(f"{name} id")[:16]
    pair_secret = derive_secret_key(hkdf_expand(unlock, b"walden/v1/slot", 32))
    overhead = 12 + 16 if generation == 1 else 32 + 16
    out = b"WALDENKS" + struct.pack("<HBBB", 1, 1 if generation == 1 else 2,
                                    2 if kind == "read" else 1, source) + bytes(3)
    out += slot_id + struct.pack("<Iq", generation, 1700000000) + REPOSITORY + scrypt
    out += x_public(pair_secret) + text(f"{name} of the golden files")
    out += text("" if kind == "read" else CLUSTER)
    out += struct.pack("<I", len(plain) + overhead)
    if generation == 1:
        nonce = seed(f"{name} nonce")[:12]
        out += nonce + AESGCM(hkdf_expand(unlock, b"walden/v1/slot-wrap", 32)).encrypt(
            nonce, plain, out)
    else:
        out += hpke_seal(seed(f"{name} ephemeral {generation}"), x_public(pair_secret),
                         b"walden/v1/slot", out, plain)
        previous = Ed25519PrivateKey.from_private_bytes(seed(f"admin {generation - 1}"))
        out += previous.sign(b"walden/v1/slot-handover\x00" + out)
    admin = Ed25519PrivateKey.from_private_bytes(seed(f"admin {generation}"))
    out += admin.sign(b"walden/v1/slot-endorsement\x00" + out)
    return out + struct.pack("<I", crc32c(out))


def key_text(name):
    slot_id, key = seed(f"{name} id")[:16], seed(f"{name} key")
    return (f"# golden key of {name}\nWALDEN-KEY-1-{slot_id.hex()}-{key.hex()}-"
            f"{crc32c(slot_id + key):08x}\n")


# Content ids and frames ---------------------------------------------------------------------------
LEAF = 256 << 10


def pattern(size):
    """Byte i is (i * 31 + i // 256 * 17 + i // 65536 * 101) mod 256."""
    return bytes((i * 31 + i // 256 * 17 + i // 65536 * 101) & 255 for i in range(size))


def content_id(key, plain):
    def digest(*parts):
        return mac(key, *parts) if key else hashlib.sha256(b"".join(parts)).digest()
    leaves = [digest(b"\x00" + struct.pack("<QI", i, len(plain[i * LEAF:(i + 1) * LEAF])),
                     plain[i * LEAF:(i + 1) * LEAF]) for i in range((len(plain) + LEAF - 1) // LEAF)]
    return digest(b"\x01" + struct.pack("<QII", len(plain), LEAF, len(leaves)), *leaves)


def frame(suite, stream, number, last, plain):
    header = seed("header")
    nonce = bytes(6) + bytes([stream]) + struct.pack(">I", number) + bytes([last])
    aad = header + bytes([stream]) + struct.pack("<I", number) + bytes([last])
    aad += struct.pack("<I", len(plain))
    if suite == 1:
        return AESGCM(seed("object key")).encrypt(nonce, plain, aad)
    return plain + hashlib.sha256(aad + plain).digest()[:16]


def main():
    target = pathlib.Path(sys.argv[1])
    for name, kind, source in (("random-key-read", "read", 1), ("random-key-put", "put", 1),
                               ("passphrase-read", "read", 2), ("passphrase-put", "put", 2)):
        for generation in (1, 2):
            (target / f"{name}.{generation}.slot").write_bytes(slot(name, kind, source, generation))
        if source == 1:
            (target / f"{name}.key").write_text(key_text(name))
        else:
            (target / f"{name}.passphrase").write_text(f"{name} passphrase\n")
    for kind in ("read", "put"):
        for generation in (1, 2):
            (target / f"{kind}.{generation}.bundle").write_bytes(bundle(kind, generation))
    lines = []
    for size in (0, 1, LEAF - 1, LEAF, LEAF + 1, 4 * LEAF, (5 << 20) + 3):
        for name, key in (("plain", None), ("keyed", seed("content id key"))):
            lines.append(f"{name} {size} {content_id(key, pattern(size)).hex()}\n")
    (target / "content_ids.txt").write_text(seed("content id key").hex() + "\n" + "".join(lines))
    lines = [f"{seed('object key').hex()} {seed('header').hex()}\n"]
    for suite in (0, 1):
        for position in ((0, 0, 0), (0, 1, 0), (7, 0x01020304, 0), (255, 0xFFFFFFFF, 1)):
            for size in (0, 5, 33):
                lines.append("{} {} {} {} {} {}\n".format(
                    suite, *position, size, frame(suite, *position, pattern(size)).hex()))
    (target / "frames.txt").write_text("".join(lines))


main()
