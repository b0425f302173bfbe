"""Makers of attestation statements, in memory: a TPM, Apple, an Android phone. Keys and certificates are made anew in every run and say TEST-ONLY.

A statement is right, or wrong in the one point that a caller names.
"""

import hashlib
import struct
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

AAGUID = b"\x0e" * 16
ES256, RS256 = -7, -257
AIK_PURPOSE = ObjectIdentifier("2.23.133.8.3")
ALGORITHM = {"ec": ES256, "rsa": RS256}

NOW = datetime.now(timezone.utc).replace(microsecond=0)
ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
ROOT_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "healthid interop TEST-ONLY maker")])


def new_key(kind):
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)


def sign(key, message):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def der(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        head = bytes([length])
    else:
        digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(digits)]) + digits
    tag = tag if isinstance(tag, bytes) else bytes([tag])
    return tag + head + content


def certificate(subject, public_key, extensions, issuer=ROOT_NAME, issuer_key=ROOT_KEY):
    """`extensions`: pairs of an extension and whether it is critical."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(issuer_key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


def authority(name, key, issuer=ROOT_NAME, issuer_key=ROOT_KEY):
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return certificate(name, key.public_key(), [(constraints, True), (usage, True)], issuer, issuer_key)


ROOT = authority(ROOT_NAME, ROOT_KEY)
NO_AUTHORITY = (x509.BasicConstraints(ca=False, path_length=None), True)


def own_extension(oid, value):
    return (x509.UnrecognizedExtension(ObjectIdentifier(oid), value), False)


def sized(data):
    return struct.pack(">H", len(data)) + data


class Tpm:
    """Windows' way: a key of the TPM, certified by an attestation key whose certificate names the TPM."""

    FORMAT = "tpm"

    def __init__(self, key="rsa", aik="rsa", wrong=None):
        self.key, self.aik, self.wrong = new_key(key), new_key(aik), wrong
        self.kind, self.algorithm = key, ALGORITHM[aik]
        if wrong == "alg mismatch":
            self.algorithm = ES256 if aik == "rsa" else RS256

    def certificate(self):
        tpm = [("2.23.133.2.1", "id:FFFFF1D0"), ("2.23.133.2.2", "TEST-ONLY"), ("2.23.133.2.3", "id:00010002")]
        if self.wrong == "no manufacturer":
            del tpm[0]
        parts = [x509.RelativeDistinguishedName([x509.NameAttribute(ObjectIdentifier(oid), value)]) for oid, value in tpm]
        purpose = x509.OID_SERVER_AUTH if self.wrong == "AIK EKU" else AIK_PURPOSE
        constraints = (x509.BasicConstraints(ca=True, path_length=None), True) if self.wrong == "CA flag" else NO_AUTHORITY
        model = b"\x0f" * 16 if self.wrong == "AAGUID" else AAGUID
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, "TPM")] if self.wrong == "subject" else []
        extensions = [
            constraints,
            (x509.ExtendedKeyUsage([purpose]), False),
            (x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(parts))]), True),
            own_extension("1.3.6.1.4.1.45724.1.1.4", der(0x04, model)),
        ]
        return certificate(x509.Name(subject), self.aik.public_key(), extensions)

    def public_area(self):
        key = new_key(self.kind) if self.wrong == "key mismatch" else self.key
        numbers = key.public_key().public_numbers()
        # Named with SHA-256; fixed to the TPM and its parent, made there, may sign and decrypt; no policy; no symmetric algorithm, no scheme.
        fixed = struct.pack(">HI", 0x000B, 0x00060472) + sized(b"\x09" * 32) + struct.pack(">HH", 0x0010, 0x0010)
        if self.kind == "rsa":
            unique = sized(numbers.n.to_bytes(256, "big"))
            return struct.pack(">H", 0x0001) + fixed + struct.pack(">HI", 2048, 0) + unique
        unique = sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
        return struct.pack(">H", 0x0023) + fixed + struct.pack(">HH", 0x0003, 0x0010) + unique

    def statement(self, data, client_data_hash):
        area = self.public_area()
        magic = 0xFF544348 if self.wrong == "magic" else 0xFF544347
        kind = 0x8018 if self.wrong == "type" else 0x8017
        extra = hashlib.sha256(data + client_data_hash + (b"x" if self.wrong == "extraData" else b"")).digest()
        name = b"\x00\x0b" + hashlib.sha256(area + (b"x" if self.wrong == "name" else b"")).digest()
        clock_and_firmware = struct.pack(">QIIBQ", 1, 2, 3, 1, 4)
        info = struct.pack(">IH", magic, kind) + sized(b"\x00\x0b" + b"\x0a" * 32) + sized(extra)
        info += clock_and_firmware + sized(name) + sized(b"\x00\x0b" + b"\x0c" * 32)
        signed = info + b"x" if self.wrong == "signature" else info
        return {
            "ver": "1.2" if self.wrong == "ver" else "2.0",
            "alg": self.algorithm,
            "x5c": [self.certificate()],
            "sig": sign(self.aik, signed),
            "certInfo": info,
            "pubArea": area,
        }


class Apple:
    """Anonymous attestation: a certificate about the key itself, with a nonce over what was made."""

    FORMAT = "apple"

    def __init__(self, wrong=None):
        self.key, self.wrong = new_key("ec"), wrong

    def statement(self, data, client_data_hash):
        key = new_key("ec") if self.wrong == "key mismatch" else self.key
        nonce = hashlib.sha256(data + client_data_hash + (b"x" if self.wrong == "nonce" else b"")).digest()
        extensions = [NO_AUTHORITY]
        if self.wrong != "no nonce":
            extensions.append(own_extension("1.2.840.113635.100.8.2", der(0x30, der(0xA1, der(0x04, nonce)))))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST-ONLY")])
        return {"x5c": [certificate(subject, key.public_key(), extensions)]}


class AndroidKey:
    """Android Key Attestation of the passkey's own key, by an attestation key below the root."""

    FORMAT = "android-key"

    def __init__(self, wrong=None):
        self.key, self.wrong = new_key("ec"), wrong

    def description(self, client_data_hash):
        def integer(number):
            return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))

        def tagged(number, content):
            high = bytes([0xBF, 0x80 | number >> 7, number & 0x7F]) if number > 127 else bytes([0xA0 | number])
            return der(high, content)

        level = der(0x0A, b"\x01")
        challenge = hashlib.sha256(client_data_hash).digest() if self.wrong == "challenge" else client_data_hash
        everybody = tagged(600, der(0x05)) if self.wrong == "allApplications" else b""
        hardware = [tagged(1, der(0x31, integer(2))), tagged(2, integer(3)), tagged(3, integer(256)), tagged(10, integer(1))]
        hardware += [everybody, tagged(702, integer(0))]
        return der(0x30, integer(300), level, integer(300), level, der(0x04, challenge), der(0x04), der(0x30), der(0x30, *hardware))

    def statement(self, data, client_data_hash):
        attester = ec.generate_private_key(ec.SECP256R1())
        attester_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST-ONLY attestation")])
        certified = new_key("ec") if self.wrong == "key mismatch" else self.key
        extensions = [] if self.wrong == "no description" else [own_extension("1.3.6.1.4.1.11129.2.1.17", self.description(client_data_hash))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Android Keystore Key")])
        leaf = certificate(subject, certified.public_key(), extensions, attester_name, attester)
        signed = data + client_data_hash + (b"x" if self.wrong == "signature" else b"")
        return {
            "alg": RS256 if self.wrong == "alg mismatch" else ES256,
            "sig": sign(self.key, signed),
            "x5c": [leaf, authority(attester_name, attester), ROOT],
        }


class Nobody:
    """No statement about a key of either kind."""

    FORMAT = "none"

    def __init__(self, key):
        self.key = new_key(key)

    def statement(self, data, client_data_hash):
        return {}
