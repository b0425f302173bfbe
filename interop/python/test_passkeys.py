"""Python fido2 is the browser: it makes passkeys with an authenticator in memory, and our provider judges what comes of it.

The client data, the CBOR, the COSE key and the authenticator data are all written by the library; only the authenticator's keys and its
obedience are this file's.
"""

import base64
import hashlib
import json
import os
import ssl
import unittest
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.cose import ES256
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CAPABILITY, CTAPHID
from fido2.webauthn import Aaguid, AttestedCredentialData, AuthenticatorData

SANDBOX = json.loads((Path(os.environ["INTEROP_SANDBOX"]) / "sandbox.json").read_text())
EXCHANGE = Path(os.environ["INTEROP_EXCHANGE"])
TLS = ssl.create_default_context(cafile=EXCHANGE / "authorities.pem")
INSURER = SANDBOX["insurers"][0]
ORIGIN = "/".join(INSURER["pages"].split("/")[:3])
PIN = "123456"


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data):
    return base64.urlsafe_b64encode(bytes(data)).rstrip(b"=").decode()


def observed(does):
    row = {"library": f"fido2 {version('fido2')}", "does": does, "refusal": "", "wayRound": ""}
    with (EXCHANGE / "observed.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def call(url, body=None):
    """Status and JSON."""
    headers = {"Content-Type": "application/json", "Origin": ORIGIN}
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, context=TLS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def provider(path, **body):
    return call(f"{INSURER['pages']}/{path}", body)


class Authenticator(CtapDevice):
    """CTAP 2 in memory: discoverable, verifies whoever asks, attests nothing."""

    def __init__(self):
        self.keys = {}
        self.counter = 0
        self.flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV

    @property
    def capabilities(self):
        return CAPABILITY.CBOR

    @classmethod
    def list_devices(cls):
        return iter(())

    def call(self, cmd, data=b"", event=None, on_keepalive=None):
        assert cmd == CTAPHID.CBOR
        request = cbor.decode(data[1:]) if data[1:] else {}
        answers = {
            Ctap2.CMD.GET_INFO: self.info,
            Ctap2.CMD.MAKE_CREDENTIAL: self.make,
            Ctap2.CMD.GET_ASSERTION: self.assertion,
        }
        try:
            return b"\0" + cbor.encode(answers[data[0]](request))
        except CtapError as error:
            return bytes([error.code])

    def info(self, _):
        return {1: ["FIDO_2_0"], 3: bytes(Aaguid.parse("0d0d0d0d-0d0d-0d0d-0d0d-0d0d0d0d0d0d")), 4: {"rk": True, "up": True, "uv": True}, 6: [1]}

    def data(self, rp_id, flags, credential=b""):
        self.counter += 1
        return AuthenticatorData.create(hashlib.sha256(rp_id.encode()).digest(), flags, self.counter, credential)

    def make(self, request):
        key = ec.generate_private_key(ec.SECP256R1())
        credential_id = os.urandom(24)
        self.keys[request[2]["id"]] = (key, credential_id, request[3]["id"])
        public = ES256.from_cryptography_key(key.public_key())
        credential = AttestedCredentialData.create(b"\x0d" * 16, credential_id, public)
        data = self.data(request[2]["id"], self.flags | AuthenticatorData.FLAG.AT, credential)
        return {1: "none", 2: bytes(data), 3: {}}

    def assertion(self, request):
        if request[1] not in self.keys:
            raise CtapError(CtapError.ERR.NO_CREDENTIALS)
        key, credential_id, user = self.keys[request[1]]
        data = self.data(request[1], self.flags)
        signature = key.sign(bytes(data) + request[2], ec.ECDSA(hashes.SHA256()))
        return {1: {"type": "public-key", "id": credential_id}, 2: bytes(data), 3: signature, 4: {"id": user}}


class Verifies(UserInteraction):
    def request_uv(self, permissions, rp_id):
        return True


class Passkeys(unittest.TestCase):
    def setUp(self):
        self.authenticator = Authenticator()

    def browser(self, origin=ORIGIN, verify=None):
        arguments = [origin] if verify is None else [origin, verify]
        return Fido2Client(self.authenticator, DefaultClientDataCollector(*arguments), Verifies())

    def account(self):
        status, answer = provider("auth/challenge", client_id=INSURER["issuer"])
        self.assertEqual(status, 200, answer)
        return answer

    def by_card(self):
        begun = self.account()
        card = call(f"{SANDBOX['portal']}/terminal/cards")[1]["cards"][0]["id"]
        signed = call(f"{SANDBOX['portal']}/terminal/sign", {"card": card, "pin": PIN, "challenge": begun["challenge"]})[1]
        status, answer = provider("auth/card", client_id=INSURER["issuer"], login=begun["login"], response=signed["response"])
        self.assertEqual(status, 200, answer)
        return answer["login"]

    def options(self):
        login = self.by_card()
        status, answer = provider("devices/passkey", client_id=INSURER["issuer"], login=login)
        self.assertEqual(status, 200, answer)
        return login, answer["options"]

    def made(self, options, **browser):
        made = self.browser(**browser).make_credential({**options, "attestation": "none"})
        return {
            "device": options["user"]["id"],
            "credential_id": encoded(made.raw_id),
            "client_data": encoded(made.response.client_data),
            "attestation_object": encoded(made.response.attestation_object),
        }

    def bind(self, login, passkey):
        body = {"client_id": INSURER["issuer"], "login": login, "name": "fido2", "consent_to_substantial": True}
        return provider("devices", **body, passkey=passkey)

    def bound(self):
        login, options = self.options()
        status, answer = self.bind(login, self.made(options))
        self.assertEqual(status, 201, answer)
        return answer

    def answer(self, challenge, **browser):
        """What the browser makes of a login's challenge. No credential is named."""
        asked = hashlib.sha256(b"healthid/passkey-login/v1\0" + challenge.encode()).digest()
        request = {"challenge": asked, "rpId": ORIGIN.split("/")[2].split(":")[0], "userVerification": "required"}
        answer = self.browser(**browser).get_assertion(request).get_response(0)
        return {
            "credential_id": encoded(answer.raw_id),
            "client_data": encoded(answer.response.client_data),
            "authenticator_data": encoded(answer.response.authenticator_data),
            "signature": encoded(answer.response.signature),
            "user_handle": encoded(answer.response.user_handle),
        }

    def enter(self, change=lambda passkey: passkey, **browser):
        begun = self.account()
        passkey = change(self.answer(begun["challenge"], **browser))
        body = {"client_id": INSURER["issuer"], "login": begun["login"], "challenge": begun["challenge"]}
        return provider("auth/device", **body, passkey=passkey)

    def test_it_makes_a_passkey_and_enters_the_account_with_it(self):
        bound = self.bound()
        self.assertEqual(bound["class"], "passkey-own-pages")
        self.assertEqual([finding["check"] for finding in bound["findings"]], ["passkey-attestation-format"])
        for _ in range(2):
            status, answer = self.enter()
            self.assertEqual(status, 200, answer)
        observed("makes passkeys from our options and enters the account with them")

    def test_a_passkey_of_another_site_is_refused(self):
        self.bound()
        for origin in ("https://evil.example", ORIGIN.replace("localhost", "www.localhost"), ORIGIN + "0"):
            status, refusal = self.enter(origin=origin, verify=lambda rp_id, origin: True)
            self.assertEqual((status, refusal["reason"]), (400, "malformed"), origin)
        login, options = self.options()
        made = self.made(options, origin="https://evil.example", verify=lambda rp_id, origin: True)
        self.assertEqual(self.bind(login, made)[0], 400)
        foreign = {**options, "rp": {**options["rp"], "id": "evil.example"}}
        made = self.made(foreign, verify=lambda rp_id, origin: True)
        self.assertEqual(self.bind(login, made)[0], 400)

    def test_a_person_who_is_not_verified_is_refused(self):
        self.bound()
        self.authenticator.flags = AuthenticatorData.FLAG.UP
        self.assertEqual(self.enter()[0], 400)
        login, options = self.options()
        self.assertEqual(self.bind(login, self.made(options))[0], 400)

    def test_a_copy_is_refused(self):
        self.bound()
        self.authenticator.counter = 10
        self.assertEqual(self.enter()[0], 200)
        self.authenticator.counter = 5
        status, refusal = self.enter()
        self.assertEqual((status, refusal["reason"]), (403, "device-cloned"))

    def test_what_was_changed_on_the_way_is_refused(self):
        self.bound()

        def flipped(member, at):
            def change(passkey):
                data = bytearray(decoded(passkey[member]))
                data[at] ^= 1
                return {**passkey, member: encoded(data)}

            return change

        for member, at, reason in [
            ("signature", -1, "device-unknown"),
            ("authenticator_data", 36, "device-unknown"),
            ("authenticator_data", 0, "malformed"),
            ("credential_id", 0, "device-unknown"),
            ("user_handle", 31, "device-unknown"),
            ("client_data", 0, "malformed"),
        ]:
            with self.subTest(member=member, at=at):
                status, refusal = self.enter(flipped(member, at))
                self.assertIn(status, (400, 403))
                self.assertEqual(refusal["reason"], reason)

    def test_the_answer_to_another_login_is_refused(self):
        self.bound()
        other = self.answer(self.account()["challenge"])
        status, refusal = self.enter(lambda _: other)
        self.assertEqual((status, refusal["reason"]), (400, "malformed"))
        login, options = self.options()
        made = self.made(options)
        self.assertEqual(self.bind(self.by_card(), made)[0], 400)
        self.assertEqual(self.bind(login, made)[0], 201)


if __name__ == "__main__":
    unittest.main()
