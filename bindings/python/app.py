"""A whole app in Python: four interfaces of the wallet core, a card, and a PIN. The protocol is the core's.

What a real app does differently stands in the methods that say so.
"""

import base64
import http.client
import json
import queue
import ssl
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import healthid_wallet as core


def signature(key: ec.EllipticCurvePrivateKey, message: str) -> bytes:
    """r ‖ s. Both of our curves have 32-byte scalars."""
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Transport(core.Transport):
    """HTTPS, no redirect followed."""

    def __init__(self, authorities: str):
        self.tls = ssl.create_default_context(cafile=authorities)

    def send(self, method: str, url: str, body: str | None) -> core.Answer:
        address = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(address.hostname, address.port, context=self.tls, timeout=10)
        try:
            connection.request(method, address.path, body, {"Accept": "application/json", "Content-Type": "application/json"})
            answer = connection.getresponse()
            return core.Answer(status=answer.status, body=answer.read().decode())
        finally:
            connection.close()


class Keystore(core.Keystore):
    """Keys in memory. A real app has them in secure hardware, or wraps them with a PIN as here, and writes the rest down before it returns."""

    def __init__(self):
        self.record = self.key = self.made = self.wrapped = self.asking = None

    def load(self) -> core.DeviceRecord | None:
        return self.record

    def count(self, counter: int) -> None:
        self.record.counter = counter

    def sign(self, message: str) -> bytes:
        if self.key is None:
            raise core.StepFailed.Cancelled()
        return signature(self.key, message)

    def make_key(self, challenge: bytes) -> core.NewKey:
        self.made = ec.generate_private_key(ec.SECP256R1())
        public = self.made.public_key().public_numbers()
        return core.NewKey(x=public.x.to_bytes(32, "big"), y=public.y.to_bytes(32, "big"), attestation=None)

    def sign_with_new_key(self, message: str) -> bytes:
        return signature(self.made, message)

    def keep(self, record: core.DeviceRecord) -> None:
        self.record, self.key, self.made, self.asking = record, self.made, None, None

    def ticket(self) -> str | None:
        return self.asking

    def keep_ticket(self, ticket: str) -> None:
        self.asking = ticket

    def lock(self, secret: core.PinSecret) -> None:
        """From now on the key is used only with this PIN."""
        form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.wrapped, self.key = secret.wrap(self.key.private_bytes(*form)), None

    def unlock(self, secret: core.PinSecret) -> bool:
        content = secret.unwrap(self.wrapped)
        self.key = content and serialization.load_der_private_key(content, None)
        return self.key is not None


class Clock(core.Clock):
    def now(self) -> int:
        return int(time.time())


class Person(core.Person):
    """Somebody with a card who approves everything, with her phone where it is bound. A real app shows her who asks for what, a switch for each voluntary
    claim, and talks to the card over NFC after its PIN."""

    def __init__(self, pem: bytes | None):
        if pem:
            self.key = serialization.load_pem_private_key(pem, None)
            self.certificate = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        self.shown = []
        self.number = None

    def choose(self, request: core.Request, device: core.DeviceRecord | None) -> core.Choice:
        self.shown.append(request)
        return core.Choice.DEVICE() if device else core.Choice.CARD()

    def hold_card(self, challenge: str) -> str:
        message = core.card_message(challenge, self.certificate)
        signed = base64.urlsafe_b64encode(signature(self.key, message)).rstrip(b"=").decode()
        return core.card_response(message, signed)

    def decide(self, consent: core.Consent) -> core.Decision:
        self.shown.append(consent)
        # The two digits she reads on the other device's page and types.
        return core.Decision.APPROVE(consent.voluntary, False, self.number if consent.other_device else None)


class OldPhone(core.OldPhone):
    """What the old phone of a move shows. A real app draws the code black on white with its warning, for two or three seconds each time, and lets her type
    what she reads on the new one."""

    def __init__(self):
        self.offers, self.asked, self.typed = queue.SimpleQueue(), queue.SimpleQueue(), queue.SimpleQueue()

    def show_offer(self, offer: core.Offer) -> core.Shown:
        self.offers.put(offer)
        time.sleep(0.05)
        return core.Shown.STILL()

    def compare(self, asking: core.Asking, expires_at: int) -> core.Compared:
        self.asked.put(asking)
        return self.typed.get(timeout=20)


class NewPhone(core.NewPhone):
    """What the new phone shows: two digits."""

    def __init__(self):
        self.numbers = queue.SimpleQueue()

    def show_number(self, number: str, expires_at: int) -> None:
        self.numbers.put(number)
        time.sleep(0.05)


class App:
    """One insurer's app on one phone."""

    def __init__(self, issuer: str, authorities: str, card: bytes | None):
        self.transport, self.keystore, self.person = Transport(authorities), Keystore(), Person(card)
        self.wallet = core.Wallet(issuer, self.transport, self.keystore, Clock(), self.person)

    def enrol(self, name: str, device_class: str, mark: bytes | None = None, pin: str | None = None) -> None:
        """Binds this phone by one login with the card, and locks its key with a PIN."""
        enrolment = self.wallet.enrol(name, device_class, True, mark)
        bound = enrolment.run()
        if pin:
            self.keystore.lock(enrolment.set_pin(bound.record.device, pin).secret)

    def unlock(self, pin: str) -> tuple[bool, int]:
        """Whether this is the PIN, and how many tries are left."""
        tried = self.wallet.try_pin(self.keystore.record.device, pin)
        return self.keystore.unlock(tried.secret), tried.tries_left

    def log_in(self, authorization_url: str) -> str:
        """From the address a service sent the person to, to the address she goes back to."""
        return self.wallet.approve(authorization_url).run().address

    def waiting(self) -> list[core.WaitingRequest]:
        """The logins that browsers sent to this phone, asked without her. A real app asks when it is opened, and every few seconds while she waits."""
        return self.wallet.requests(core.Unlock.NEVER)

    def answer(self, client_id: str, login: str) -> core.End:
        """A login that was begun on another device: that one goes on."""
        return self.wallet.resume(client_id, login).run()


def load_sandbox(directory: str) -> dict:
    with open(f"{directory}/sandbox.json", encoding="utf-8") as file:
        return json.load(file)
