"""A policyholder enrols and logs in with an app that is not written in Rust, at a real sandbox over real TLS.

    python test_app.py SANDBOX_DIRECTORY CARD_PEM
"""

import html
import http.client
import http.cookiejar
import os
import re
import ssl
import sys
import time
import unittest
import urllib.parse
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor

import healthid_wallet as core
from app import App, Clock, NewPhone, OldPhone, load_sandbox


class Browser:
    """The service's half: a person's browser at the demo service."""

    def __init__(self, pages: str, authorities: str):
        self.pages = pages
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authorities))
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
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

    def wait_for_phone(self, issuer: str) -> "Page":
        """A login in which nobody is logged in any more, up to the page that waits for a phone."""
        for cookie in list(self.jar):
            if cookie.name != "healthid_phone":
                self.jar.clear(cookie.domain, cookie.path, cookie.name)
        return Page(self, attribute(self.open(self.begin_login(issuer)), "<iframe", "src"))


class Page:
    """The frame that waits for a phone."""

    def __init__(self, browser: Browser, frame: str):
        self.browser, self.frame = browser, frame
        self.login = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(frame).query))

    def number(self) -> str:
        return re.search('class="number".*?<strong>([0-9]{2})<', self.browser.open(self.frame), re.DOTALL)[1]

    def scanned(self) -> tuple[str, str]:
        """What a phone reads in the code: service and login."""
        link = attribute(self.browser.open(self.frame), 'class="code"', "href")
        names = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
        return names["client_id"], names["login"]

    def post(self, path: str, **more: str) -> str:
        form = {"client_id": self.login["client_id"], "login": self.login["login"], **more}
        address = self.frame.split("/auth/")[0] + "/auth/" + path
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
        request = urllib.request.Request(address, urllib.parse.urlencode(form).encode(), {"Origin": origin})
        with self.browser.follow.open(request, timeout=20) as answer:
            return answer.read().decode()


def attribute(page: str, mark: str, name: str) -> str:
    return html.unescape(re.search(f'{mark}.*?{name}="([^"]*)"', page, re.DOTALL)[1])


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are handed back."""

    def http_error_303(self, request, answer, code, reason, headers):
        return answer


class TheApp(unittest.TestCase):
    def setUp(self):
        self.insurer = next(entry for entry in SANDBOX["insurers"] if entry["word"] == "leuchtturm")
        service = next(entry for entry in SANDBOX["services"] if entry["word"] == "record")
        with open(CARD, "rb") as file:
            self.app = App(self.insurer["issuer"], SANDBOX["ca"], file.read())
        self.keystore = self.app.keystore
        self.browser = Browser(service["pages"], SANDBOX["ca"])

    def log_in(self) -> str:
        return self.browser.open(self.app.log_in(self.browser.begin_login(self.insurer["issuer"])))

    def test_a_person_enrols_with_her_card_and_logs_in_with_her_phone(self):
        self.app.enrol("Handy (Python)", "software")
        self.assertEqual(self.keystore.record.issuer, self.insurer["issuer"])
        for login in (1, 2):
            self.assertIn("Lena", self.log_in())
            self.assertEqual(self.keystore.record.counter, login)

    def test_a_phone_with_another_key_is_refused_with_a_support_code(self):
        self.app.enrol("Handy (Python)", "software")
        self.keystore.make_key(b"")
        self.keystore.keep(self.keystore.record)
        with self.assertRaises(core.WalletError.Again) as refused:
            self.log_in()
        self.assertEqual(refused.exception.status, 403)
        self.assertEqual(refused.exception.reason, "device-unknown")
        self.assertRegex(refused.exception.support_code, "^[A-Z]{4}-[A-Z]{4}$")

    def test_a_person_logs_in_with_her_card_and_the_service_knows_her(self):
        page = self.log_in()
        shown = self.app.person.shown
        self.assertIsInstance(shown[0], core.Request)
        self.assertIn("urn:telematik:claims:id", shown[1].essential)
        self.assertIn("Lena", page)

    def test_a_pin_unlocks_the_key_a_wrong_one_costs_a_try_and_the_card_sets_a_new_one(self):
        mark = os.urandom(32)
        self.app.enrol("Handy (Python)", "software", mark, "135790")
        first = self.keystore.record.device
        self.assertIsNone(self.keystore.key)
        self.assertEqual(self.app.unlock("135791"), (False, 9))
        self.assertEqual(self.app.unlock("135790"), (True, 8))
        # The login that the key signs gives the tries back.
        self.assertIn("Lena", self.log_in())
        for tries_left in range(9, -1, -1):
            self.assertEqual(self.app.unlock("000000"), (False, tries_left))
        with self.assertRaises(core.WalletError.Again) as locked:
            self.app.unlock("135790")
        self.assertEqual(locked.exception.reason, "pin-locked")
        # A locked key is as good as none: she enrols again with her card. The phone's mark tells the insurer that it is the same phone.
        self.app.enrol("Handy (Python)", "software", mark, "246801")
        self.assertNotEqual(self.keystore.record.device, first)
        self.assertEqual(self.app.unlock("135790"), (False, 9))
        self.assertEqual(self.app.unlock("246801"), (True, 8))
        self.assertIn("Lena", self.log_in())

    def test_her_card_sets_a_new_pin_of_the_same_device_and_the_old_one_opens_nothing(self):
        self.app.enrol("Handy (Python)", "software", None, "135790")
        self.assertTrue(self.app.unlock("135790")[0])
        kept, device = self.keystore.wrapped, self.keystore.record.device
        pin = core.PinTry.set(self.card_login(), device, "246801")
        want = pin.want()
        new = pin.tell(self.sent(want))
        self.assertEqual(new.tries_left, 10)
        self.assertIsNone(new.secret.unwrap(kept))
        self.keystore.lock(new.secret)
        self.assertFalse(self.app.unlock("135790")[0])
        self.assertTrue(self.app.unlock("246801")[0])
        self.assertIn("Lena", self.log_in())

    def sent(self, want: core.Want) -> core.Told:
        answer = self.app.transport.send(want.method, want.url, want.body)
        return core.Told.ANSWER(answer.status, answer.body)

    def card_login(self) -> core.Login:
        """A login to her account, up to where it knows her: the machine itself, without the interfaces."""
        login = core.Login.account(self.insurer["issuer"])
        want = login.want()
        while not isinstance(want, core.Want.DECIDE):
            match want:
                case core.Want.SEND():
                    told = self.sent(want)
                case core.Want.CHOOSE():
                    told = core.Told.WITH_CARD()
                case core.Want.SIGN_WITH_CARD():
                    told = core.Told.CARD_ANSWERED(self.app.person.hold_card(want.challenge))
            want = login.tell(told, int(time.time()))
        return login

    def test_a_lost_answer_is_asked_for_again_and_nothing_is_bound_or_signed_twice(self):
        lossy = Lossy(self.app.transport)
        self.app.wallet = core.Wallet(self.insurer["issuer"], lossy, self.keystore, Clock(), self.app.person)
        self.app.enrol("Handy (Python)", "software")
        # One run whose answers are all lost stops; run again, it goes on.
        approval = self.app.wallet.approve(self.browser.begin_login(self.insurer["issuer"]))
        lossy.gone = True
        with self.assertRaises(core.WalletError.Unreachable) as gone:
            approval.run()
        self.assertIn("no network", str(gone.exception))
        lossy.gone = False
        self.assertIn("Lena", self.browser.open(approval.run().address))
        self.assertEqual(self.keystore.record.counter, 1)
        self.assertIn("/devices", lossy.lost)

    def test_who_cancels_or_declines_is_asked_again_or_goes_back(self):
        approval = self.app.wallet.approve(self.browser.begin_login(self.insurer["issuer"]))
        answers = iter([core.StepFailed.Cancelled(), ValueError("screen"), core.Choice.DEVICE(), core.Choice.DECLINE()])
        expected = [core.WalletError.Cancelled, core.WalletError.Failed, core.WalletError.NoDevice]

        def choose(request, device):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.app.person.choose = choose
        for error in expected:
            with self.assertRaises(error):
                approval.run()
        self.assertIn("error=access_denied", approval.run().address)

    def test_one_run_at_a_time(self):
        errors = []

        def choose(request, device):
            try:
                self.app.wallet.enrol("Handy (Python)", "software", True, None).run()
            except core.WalletError as error:
                errors.append(error)
            return core.Choice.DECLINE()

        self.app.person.choose = choose
        self.app.wallet.approve(self.browser.begin_login(self.insurer["issuer"])).run()
        self.assertEqual([type(error) for error in errors], [core.WalletError.Busy])

    def test_a_login_comes_to_the_phone_by_a_code_and_then_by_a_button(self):
        with self.assertRaises(core.WalletError.NoDevice):
            self.app.waiting()
        self.app.enrol("Handy (Python)", "software")
        # Only the key can ask the first time; then its ticket does.
        with self.assertRaises(core.WalletError.Locked):
            self.app.waiting()
        self.assertEqual(self.app.wallet.requests(core.Unlock.IF_NEEDED), [])
        page = self.browser.wait_for_phone(self.insurer["issuer"])
        self.app.person.number = page.number()
        self.assertIsInstance(self.app.answer(*page.scanned()), core.End.DONE)
        self.assertIn("Lena", page.post("return", keep_phone="yes"))

        page = self.browser.wait_for_phone(self.insurer["issuer"])
        page.post("phone/send")
        key, self.keystore.key = self.keystore.key, None
        [request] = self.app.waiting()
        self.keystore.key = key
        self.assertEqual(request.service, self.app.person.shown[-1].service)
        self.app.person.number = page.number()
        self.assertIsInstance(self.app.answer(request.client_id, request.login), core.End.DONE)
        self.assertTrue(self.app.person.shown[-1].other_device)
        self.assertIn("Lena", page.post("return"))
        self.assertEqual(self.app.waiting(), [])
        self.assertEqual(self.keystore.record.counter, 2)

    def test_a_wrong_number_ends_a_login_of_another_device(self):
        page = self.browser.wait_for_phone(self.insurer["issuer"])
        self.app.person.number = f"{(int(page.number()) + 1) % 100:02}"
        with self.assertRaises(core.WalletError.Over) as refused:
            self.app.answer(*page.scanned())
        self.assertEqual(refused.exception.reason, "number-wrong")
        self.assertNotIn("Lena", page.post("return"))

    def move(self, new: App, says=core.Compared.NUMBER) -> tuple[Future, Future]:
        """Both halves, each on a thread of its own as on a phone of its own. What she reads on the new one she types on the old one."""
        old_screen, new_screen = OldPhone(), NewPhone()
        with ThreadPoolExecutor(2) as threads:
            out = threads.submit(self.app.wallet.move_out(old_screen).run)
            offer = old_screen.offers.get(timeout=20)
            self.assertIn("move=", offer.link)
            self.assertTrue(offer.code_path and offer.code_size)
            into = threads.submit(new.wallet.move_in(offer.offer, "Neues Handy", "software", True, None, new_screen).run)
            self.assertEqual(old_screen.asked.get(timeout=20).name, "Neues Handy")
            old_screen.typed.put(says(new_screen.numbers.get(timeout=20)))
        return out, into

    def test_a_new_phone_is_bound_with_the_old_one_and_a_wrong_number_or_a_no_ends_a_move_on_both(self):
        self.app.enrol("Altes Handy (Python)", "software")
        new = App(self.insurer["issuer"], SANDBOX["ca"], None)
        out, into = self.move(new, lambda number: core.Compared.NUMBER(f"{(int(number) + 1) % 100:02}"))
        for half in (out, into):
            with self.assertRaises(core.WalletError.Over) as refused:
                half.result()
            self.assertIn(refused.exception.reason, ("number-wrong", "move-over"))
        out, into = self.move(new, lambda _: core.Compared.END(core.EndWhy.DECLINED))
        self.assertEqual(out.result(), core.MoveEnd.ENDED())
        with self.assertRaises(core.WalletError.Over):
            into.result()
        self.assertIsNone(new.keystore.record)

        out, into = self.move(new)
        record = into.result().record
        self.assertEqual(out.result().name, "Neues Handy")
        self.assertEqual(new.keystore.record, record)
        self.assertLessEqual(record.valid_until, self.keystore.record.valid_until)
        self.assertIn("Lena", self.log_in())
        self.app, self.keystore = new, new.keystore
        self.assertIn("Lena", self.log_in())
        # It vouches for no third one before her card has confirmed it.
        with self.assertRaises(core.WalletError.Over) as refused:
            new.wallet.move_out(OldPhone()).run()
        self.assertEqual(refused.exception.reason, "card-login-needed")

    def test_an_address_of_another_insurer_is_not_answered(self):
        other = next(entry for entry in SANDBOX["insurers"] if entry["word"] != "leuchtturm")
        with self.assertRaises((core.WalletError.Over, core.WalletError.Again)):
            self.app.log_in(self.browser.begin_login(other["issuer"]))
        self.assertEqual(self.app.person.shown, [])

    def test_what_was_not_wanted_is_an_error_and_changes_nothing(self):
        login = core.Login.account(self.insurer["issuer"])
        wanted = login.want()
        for told in [core.Told.WITH_CARD(), core.Told.SIGNED(""), core.Told.DECLINE()]:
            with self.assertRaises(core.WalletError.Again):
                login.tell(told, 0)
            self.assertEqual(login.want(), wanted)
        with self.assertRaises(core.WalletError.Again):
            core.Binding.begin(login, "Handy", "software", True, None)
        with self.assertRaises(core.WalletError.Again):
            core.PinTry.set(login, "device", "135790")
        with self.assertRaises(core.WalletError.Failed):
            core.PinTry.begin(self.insurer["issuer"], "device", "")
        with self.assertRaises(core.WalletError.Over):
            core.Login.open(self.insurer["issuer"], "https://example.org/")


class Lossy(core.Transport):
    """A network that loses every second answer, after the request arrived."""

    def __init__(self, net: core.Transport):
        self.net, self.lost, self.count, self.gone = net, [], 0, False

    def send(self, method: str, url: str, body: str | None) -> core.Answer:
        if self.gone:
            raise OSError("no network")
        answer = self.net.send(method, url, body)
        self.count += 1
        if self.count % 2:
            self.lost.append(urllib.parse.urlsplit(url).path.removeprefix(urllib.parse.urlsplit(INSURER).path))
            raise TimeoutError
        return answer


if __name__ == "__main__":
    SANDBOX, CARD = load_sandbox(sys.argv[1]), sys.argv[2]
    INSURER = next(entry["issuer"] for entry in SANDBOX["insurers"] if entry["word"] == "leuchtturm")
    unittest.main(argv=sys.argv[:1])
