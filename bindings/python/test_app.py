"""A policyholder enrols and logs in with an app that is not written in Rust, at a real sandbox over real TLS.

    python test_app.py SANDBOX_DIRECTORY CARD_PEM
"""

import http.client
import http.cookiejar
import ssl
import sys
import unittest
import urllib.parse
import urllib.request

import healthid_wallet as core
from app import App, Card, load_sandbox


class Browser:
    """The service's half: a person's browser at the demo service."""

    def __init__(self, pages: str, authorities: str):
        self.pages = pages
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authorities))
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.follow = urllib.request.build_opener(tls, cookies)
        self.stay = urllib.request.build_opener(tls, cookies, Stay())

    def begin_login(self, issuer: str) -> str:
        """The address at the insurer the service sends the person to."""
        form = urllib.parse.urlencode({"idp": issuer}).encode()
        request = urllib.request.Request(f"{self.pages}/login", form, {"Origin": self.pages})
        with self.stay.open(request, timeout=20) as answer:
            return answer.headers["Location"]

    def open(self, address: str) -> str:
        with self.follow.open(address, timeout=20) as answer:
            return answer.read().decode()


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are handed back."""

    def http_error_303(self, request, answer, code, reason, headers):
        return answer


class TheApp(unittest.TestCase):
    def setUp(self):
        self.insurer = next(entry for entry in SANDBOX["insurers"] if entry["word"] == "leuchtturm")
        service = next(entry for entry in SANDBOX["services"] if entry["word"] == "record")
        with open(CARD, "rb") as file:
            card = Card(file.read())
        self.app = App(self.insurer["issuer"], SANDBOX["ca"], card)
        self.browser = Browser(service["pages"], SANDBOX["ca"])

    def log_in(self) -> str:
        return self.browser.open(self.app.log_in(self.browser.begin_login(self.insurer["issuer"])))

    def test_a_person_enrols_with_her_card_and_logs_in_with_her_phone(self):
        self.app.enrol("Handy (Python)", "software")
        self.assertEqual(self.app.record.issuer, self.insurer["issuer"])
        for login in (1, 2):
            self.assertIn("Lena", self.log_in())
            self.assertEqual(self.app.record.counter, login)

    def test_a_phone_with_another_key_is_refused_with_a_support_code(self):
        self.app.enrol("Handy (Python)", "software")
        self.app.make_key()
        with self.assertRaises(core.WalletError.Again) as refused:
            self.log_in()
        self.assertEqual(refused.exception.status, 403)
        self.assertEqual(refused.exception.reason, "device-unknown")
        self.assertRegex(refused.exception.support_code, "^[A-Z]{4}-[A-Z]{4}$")

    def test_a_person_logs_in_with_her_card_and_the_service_knows_her(self):
        page = self.log_in()
        shown = self.app.shown
        self.assertIsInstance(shown[0], core.Request)
        self.assertIn("urn:telematik:claims:id", shown[1].essential)
        self.assertIn("Lena", page)

    def test_an_address_of_another_insurer_is_not_answered(self):
        other = next(entry for entry in SANDBOX["insurers"] if entry["word"] != "leuchtturm")
        with self.assertRaises((core.WalletError.Over, core.WalletError.Again)):
            self.app.log_in(self.browser.begin_login(other["issuer"]))
        self.assertEqual(self.app.shown, [])

    def test_what_was_not_wanted_is_an_error_and_changes_nothing(self):
        login = core.Login.account(self.insurer["issuer"])
        wanted = login.want()
        for told in [core.Told.WITH_CARD(), core.Told.SIGNED(""), core.Told.DECLINE()]:
            with self.assertRaises(core.WalletError.Again):
                login.tell(told, 0)
            self.assertEqual(login.want(), wanted)
        with self.assertRaises(core.WalletError.Again):
            core.Binding.begin(login, "Handy", "software", True, None)
        with self.assertRaises(core.WalletError.Over):
            core.Login.open(self.insurer["issuer"], "https://example.org/")


if __name__ == "__main__":
    SANDBOX, CARD = load_sandbox(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1])
