"""What another library says of attestation statements, and what our provider says: the same statements, right ones and each wrong in one point.

They are written to the exchange, where npm @simplewebauthn/server judges them too (judge/statements.test.mjs).
"""

import hashlib
import json
import os
import unittest

from attestations import AAGUID, ROOT, AndroidKey, Apple, Nobody, Tpm, sign
from cryptography.hazmat.primitives.asymmetric import rsa
from fido2 import cose
from fido2.attestation import AttestationVerifier, UnsupportedType
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData
from test_passkeys import EXCHANGE, INSURER, ORIGIN, PIN, SANDBOX, call, encoded, observed, provider

RP_ID = ORIGIN.split("/")[2].split(":")[0]
UP_UV = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV


class Verifier(AttestationVerifier):
    def ca_lookup(self, result, auth_data):
        return ROOT


def theirs(attestation_object, client_data):
    """`True`, `False`, or `None` where the library does not read the format."""
    try:
        Verifier().verify_attestation(AttestationObject(attestation_object), client_data.hash)
    except UnsupportedType:
        return None
    except Exception:  # It has one class of exceptions for what it expects, and others for what it does not.
        return False
    return True


class Card:
    """A card of the insurer that no other test uses, and the logins it answers."""

    def __init__(self):
        cards = call(f"{SANDBOX['portal']}/terminal/cards")[1]["cards"]
        self.id = [card["id"] for card in cards][1]

    def login(self):
        begun = provider("auth/challenge", client_id=INSURER["issuer"])[1]
        body = {"card": self.id, "pin": PIN, "challenge": begun["challenge"]}
        signed = call(f"{SANDBOX['portal']}/terminal/sign", body)[1]
        status, answer = provider("auth/card", client_id=INSURER["issuer"], login=begun["login"], response=signed["response"])
        assert status == 200, answer
        return answer["login"]

    def options(self):
        login = self.login()
        status, answer = provider("devices/passkey", client_id=INSURER["issuer"], login=login)
        assert status == 200, answer
        return login, answer["options"]


def created(options, maker, credential_id):
    """What an authenticator of this maker makes of the options, as the library writes it."""
    client_data = CollectedClientData.create("webauthn.create", options["challenge"], ORIGIN)
    key = maker.key.public_key()
    public = (cose.RS256 if isinstance(key, rsa.RSAPublicKey) else cose.ES256).from_cryptography_key(key)
    credential = AttestedCredentialData.create(AAGUID, credential_id, public)
    flags = UP_UV | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(hashlib.sha256(RP_ID.encode()).digest(), flags, 1, credential)
    statement = maker.statement(bytes(data), client_data.hash)
    return client_data, AttestationObject.create(maker.FORMAT, data, statement), public


RIGHT = [
    ("RS256", lambda: Nobody("rsa"), ["passkey-attestation-format"]),
    ("tpm, RSA key and attestation key", lambda: Tpm(), ["passkey-authenticator-model"]),
    ("tpm, P-256 key and attestation key", lambda: Tpm("ec", "ec"), ["passkey-authenticator-model"]),
    ("tpm, RSA key, P-256 attestation key", lambda: Tpm("rsa", "ec"), ["passkey-authenticator-model"]),
    ("apple", lambda: Apple(), ["passkey-authenticator-model"]),
    ("android-key", lambda: AndroidKey(), ["passkey-authenticator-model"]),
]
WRONG = [
    (Tpm, wrong)
    for wrong in (
        "ver",
        "magic",
        "type",
        "extraData",
        "name",
        "signature",
        "AIK EKU",
        "CA flag",
        "subject",
        "no manufacturer",
        "AAGUID",
        "key mismatch",
        "alg mismatch",
    )
]
WRONG += [(Apple, wrong) for wrong in ("nonce", "no nonce", "key mismatch")]
WRONG += [(AndroidKey, wrong) for wrong in ("signature", "challenge", "allApplications", "no description", "key mismatch", "alg mismatch")]
# What the library does not look at, though the standard says so: §8.3 (version and SAN), §8.3.1 (model), §8.8 (key).
OVERLOOKED = {("tpm", "ver"), ("tpm", "no manufacturer"), ("tpm", "AAGUID"), ("apple", "key mismatch")}


class Attestations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.card = Card()
        cls.statements = []
        cls.assertions = []

    @classmethod
    def tearDownClass(cls):
        written = {"origin": ORIGIN, "rpId": RP_ID, "root": encoded(ROOT), "statements": cls.statements, "assertions": cls.assertions}
        (EXCHANGE / "statements.json").write_text(json.dumps(written))

    def judged(self, name, maker, login, options):
        """Their verdict and our answer about one statement."""
        credential_id = os.urandom(32)
        client_data, attestation_object, public = created(options, maker, credential_id)
        passkey = {
            "device": options["user"]["id"],
            "credential_id": encoded(credential_id),
            "client_data": encoded(client_data),
            "attestation_object": encoded(attestation_object),
        }
        body = {"client_id": INSURER["issuer"], "login": login, "name": "interop", "consent_to_substantial": True}
        status, answer = provider("devices", **body, passkey=passkey)
        self.statements.append({"name": name, "challenge": options["challenge"], "passkey": passkey, "ours": status == 201})
        return theirs(bytes(attestation_object), client_data), status, answer, (credential_id, public)

    def test_right_statements_are_right_for_both(self):
        for name, make, findings in RIGHT:
            with self.subTest(name):
                login, options = self.card.options()
                maker = make()
                verdict, status, answer, (credential_id, public) = self.judged(name, maker, login, options)
                self.assertEqual(status, 201, answer)
                # The statement is right in its format; nobody at the insurer named this model.
                self.assertEqual([finding["check"] for finding in answer["findings"]], findings)
                # The library has no such format, and none for no statement.
                self.assertEqual(verdict, None if maker.FORMAT in ("android-key", "none") else True)
                self.enters(maker, credential_id, public, answer["device"])
                # What she has is not made twice: the next options name it.
                again_login, again = self.card.options()
                self.assertIn({"type": "public-key", "id": encoded(credential_id)}, again["excludeCredentials"])
                provider("account/revoke", login=again_login, device=answer["device"])
        observed("verifies statements of the formats tpm and apple, RS256 keys too, and says what we say but for the differences its test names")

    def enters(self, maker, credential_id, public, device):
        """The key answers a login; the library verifies the same signature."""
        begun = provider("auth/challenge", client_id=INSURER["issuer"])[1]
        asked = hashlib.sha256(b"healthid/passkey-login/v1\0" + begun["challenge"].encode()).digest()
        client_data = CollectedClientData.create("webauthn.get", encoded(asked), ORIGIN)
        data = AuthenticatorData.create(hashlib.sha256(RP_ID.encode()).digest(), UP_UV, 2)
        signature = sign(maker.key, bytes(data) + client_data.hash)
        public.verify(bytes(data) + client_data.hash, signature)
        wrong = bytearray(signature)
        wrong[-1] ^= 1
        with self.assertRaises(Exception):
            public.verify(bytes(data) + client_data.hash, bytes(wrong))
        for tried, expected in ((bytes(wrong), 403), (signature, 200)):
            passkey = {
                "credential_id": encoded(credential_id),
                "client_data": encoded(client_data),
                "authenticator_data": encoded(data),
                "signature": encoded(tried),
                "user_handle": device,
            }
            body = {"client_id": INSURER["issuer"], "login": begun["login"], "challenge": begun["challenge"]}
            status, answer = provider("auth/device", **body, passkey=passkey)
            self.assertEqual(status, expected, answer)
            registered = len(self.statements) - 1
            self.assertions.append({"statement": registered, "challenge": encoded(asked), "passkey": passkey, "ours": status == 200})

    def test_a_statement_that_is_wrong_in_one_point_is_wrong_for_both(self):
        login, options = self.card.options()
        for maker, wrong in WRONG:
            with self.subTest(format=maker.FORMAT, wrong=wrong):
                verdict, status, answer, _ = self.judged(f"{maker.FORMAT}: {wrong}", maker(wrong=wrong), login, options)
                self.assertEqual((status, answer.get("reason")), (403, "attestation-refused"), answer)
                if maker is not AndroidKey:
                    self.assertEqual(verdict, (maker.FORMAT, wrong) in OVERLOOKED)
        # The same login is good for a right one afterwards.
        verdict, status, answer, _ = self.judged("tpm, after refusals", Tpm(), login, options)
        self.assertEqual((verdict, status), (True, 201), answer)
        provider("account/revoke", login=self.card.login(), device=answer["device"])


if __name__ == "__main__":
    unittest.main()
