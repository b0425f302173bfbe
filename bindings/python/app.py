"""A whole app in Python: sockets, clock, keys and card are this file's, the protocol is the wallet core's.

Everything a real app does differently stands behind the four methods of `App` that say so.
"""

import base64
import http.client
import json
import ssl
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import healthid_wallet as core


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signature(key: ec.EllipticCurvePrivateKey, message: str) -> str:
    """r ‖ s. Both of our curves have 32-byte scalars."""
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Card:
    """A health card. A real app talks to one over NFC, after its PIN."""

    def __init__(self, pem: bytes):
        self.key = serialization.load_pem_private_key(pem, None)
        self.certificate = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)

    def answer(self, challenge: str) -> str:
        message = core.card_message(challenge, self.certificate)
        return core.card_response(message, signature(self.key, message))


class App:
    """One insurer's app on one phone."""

    def __init__(self, issuer: str, authorities: str, card: Card):
        self.issuer = issuer
        self.tls = ssl.create_default_context(cafile=authorities)
        self.card = card
        self.key = None
        self.record = None
        #: What a person would have been shown.
        self.shown = []

    def send(self, want: core.Want.SEND) -> core.Told:
        """Over TLS, no redirect followed. A real app also tries again where the network fails."""
        url = urllib.parse.urlsplit(want.url)
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=self.tls, timeout=10)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        connection.request(want.method, url.path, want.body, headers)
        answer = connection.getresponse()
        told = core.Told.ANSWER(answer.status, answer.read().decode())
        connection.close()
        return told

    def make_key(self) -> core.Told:
        """A real app makes it in secure hardware, locked to PIN or biometry."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key().public_numbers()
        return core.Told.KEY_MADE(base64url(public.x.to_bytes(32, "big")), base64url(public.y.to_bytes(32, "big")), None)

    def keep(self, record: core.DeviceRecord) -> None:
        """A real app writes it down before it goes on."""
        self.record = record

    def choose(self, request: core.Request) -> core.Told:
        """A real app shows who asks for what."""
        self.shown.append(request)
        return core.Told.WITH_DEVICE(self.record) if self.record else core.Told.WITH_CARD()

    def decide(self, consent: core.Consent) -> core.Told:
        """A real app shows a switch for each voluntary claim."""
        self.shown.append(consent)
        return core.Told.APPROVE(consent.voluntary, False, None)

    def do(self, want: core.Want) -> core.Told:
        """What the core wants, done."""
        match want:
            case core.Want.SEND():
                return self.send(want)
            case core.Want.CHOOSE():
                return self.choose(want.request)
            case core.Want.SIGN_WITH_CARD():
                return core.Told.CARD_ANSWERED(self.card.answer(want.challenge))
            case core.Want.SIGN_WITH_DEVICE():
                self.record.counter = want.counter
                self.keep(self.record)
                return core.Told.SIGNED(signature(self.key, want.message))
            case core.Want.MAKE_KEY():
                return self.make_key()
            case core.Want.SIGN_WITH_NEW_KEY():
                return core.Told.SIGNED(signature(self.key, want.message))
            case core.Want.DECIDE():
                return self.decide(want.consent)
        raise AssertionError(f"nothing to do for {want}")

    def log_in(self, authorization_url: str) -> str:
        """From the address a service sent the person to, to the address she goes back to."""
        login = core.Login.open(self.issuer, authorization_url)
        want = login.want()
        while not isinstance(want, core.Want.GO_BACK):
            want = login.tell(self.do(want), int(time.time()))
        return want.address

    def enrol(self, name: str, device_class: str) -> None:
        """Binds this phone by one login with the card."""
        login = core.Login.account(self.issuer)
        want = login.want()
        while not isinstance(want, core.Want.DECIDE):
            want = login.tell(self.do(want), int(time.time()))
        binding = core.Binding.begin(login, name, device_class, True, None)
        want = binding.want()
        while not isinstance(want, core.Want.KEEP):
            want = binding.tell(self.do(want))
        self.keep(want.record)


def load_sandbox(directory: str) -> dict:
    with open(f"{directory}/sandbox.json", encoding="utf-8") as file:
        return json.load(file)
