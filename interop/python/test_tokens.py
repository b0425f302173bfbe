"""Two Python libraries decrypt and verify the token that the npm tests got: joserfc with its two settings, jwcrypto as it is."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import unittest
import urllib.request
from importlib.metadata import version
from pathlib import Path

import joserfc
from joserfc import jwe, jws, jwt
from joserfc.errors import BadSignatureError, ExceededSizeError, UnsupportedHeaderError
from joserfc.jwk import ECKey, KeySet
from joserfc.registry import HeaderParameter
from jwcrypto import jwe as crypto_jwe
from jwcrypto import jwk as crypto_jwk
from jwcrypto import jws as crypto_jws
from jwcrypto import jwt as crypto_jwt

EXCHANGE = Path(os.environ["INTEROP_EXCHANGE"])
LOGIN = json.loads((EXCHANGE / "login.json").read_text())
JOSERFC = f"joserfc {joserfc.__version__}"
JWCRYPTO = f"jwcrypto {version('jwcrypto')}"


def observed(library, does, refusal="", way_round=""):
    row = {"library": library, "does": does, "refusal": refusal, "wayRound": way_round}
    with (EXCHANGE / "observed.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


# What a relying party with joserfc needs: the header member `version` made known, and room for the certificate in `x5c`.
TOKEN_JWE = jwe.JWERegistry(
    header_registry={"version": HeaderParameter("ID token version", "str")},
    algorithms=["ECDH-ES", "A256GCM"],
)


class TokenJws(jws.JWSRegistry):
    max_header_length = 4096


TOKEN_JWS = TokenJws(algorithms=["ES256"])


class Joserfc(unittest.TestCase):
    def setUp(self):
        self.key = ECKey.import_key(LOGIN["encryption_key"])

    def inner(self):
        return jwe.decrypt_compact(LOGIN["id_token"], self.key, registry=TOKEN_JWE).plaintext

    def signed_keys(self):
        """The provider's signed key set, verified with the keys the Federation Master vouches for."""
        entity_keys = KeySet.import_key_set(LOGIN["entity_keys"])
        content = jws.deserialize_compact(LOGIN["signed_jwks"], entity_keys, registry=TOKEN_JWS)
        claims = json.loads(content.payload)
        self.assertEqual(claims["iss"], LOGIN["issuer"])
        return KeySet.import_key_set({"keys": claims["keys"]})

    def test_as_it_is_it_refuses_the_header_member_version(self):
        with self.assertRaises(UnsupportedHeaderError) as refusal:
            jwe.decrypt_compact(LOGIN["id_token"], self.key, algorithms=["ECDH-ES", "A256GCM"])
        self.assertIn("version", str(refusal.exception))
        observed(
            JOSERFC,
            "decrypts the ID token",
            f"{type(refusal.exception).__name__}: {refusal.exception}",
            "Make the member known: JWERegistry(header_registry={\"version\": HeaderParameter(\"ID token version\", \"str\")}, "
            "algorithms=[\"ECDH-ES\", \"A256GCM\"]), passed as registry=.",
        )

    def test_with_the_member_known_it_decrypts(self):
        token = jwe.decrypt_compact(LOGIN["id_token"], self.key, registry=TOKEN_JWE)
        self.assertEqual(token.headers()["version"], "2.0.0")
        self.assertEqual(token.headers()["cty"], "JWT")
        self.assertEqual(token.plaintext.count(b"."), 2)

    def test_as_it_is_it_refuses_the_certificate_in_the_header(self):
        inner = self.inner()
        self.assertGreater(len(inner.split(b".")[0]), 512)
        with self.assertRaises(ExceededSizeError) as refusal:
            jws.deserialize_compact(inner, self.signed_keys(), algorithms=["ES256"])
        observed(
            JOSERFC,
            "verifies the ID token (x5c makes its header longer than 512 bytes)",
            f"{type(refusal.exception).__name__}: {refusal.exception}",
            "A subclass of JWSRegistry with max_header_length = 4096, passed as registry=.",
        )

    def test_with_room_for_the_header_it_verifies_every_claim(self):
        token = jwt.decode(self.inner().decode(), self.signed_keys(), registry=TOKEN_JWS)
        rules = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": LOGIN["issuer"]},
            aud={"essential": True, "value": LOGIN["client_id"]},
            nonce={"essential": True, "value": LOGIN["nonce"]},
            sub={"essential": True},
            exp={"essential": True},
            acr={"essential": True, "value": "gematik-ehealth-loa-high"},
        )
        rules.validate(token.claims)
        self.assertEqual(token.claims["exp"] - token.claims["iat"], 300)
        self.assertLessEqual(abs(token.claims["iat"] - time.time()), 300)

    def test_it_refuses_a_changed_token(self):
        header, payload, signature = self.inner().split(b".")
        forged = b".".join([header, base64.urlsafe_b64encode(b'{"sub":"somebody"}').rstrip(b"="), signature])
        with self.assertRaises(BadSignatureError):
            jws.deserialize_compact(forged, self.signed_keys(), registry=TOKEN_JWS)

    def test_it_verifies_the_entity_statement(self):
        keys = KeySet.import_key_set(LOGIN["entity_keys"])
        statement = jws.deserialize_compact(LOGIN["statement"], keys, algorithms=["ES256"])
        self.assertEqual(statement.headers()["typ"], "entity-statement+jwt")
        self.assertEqual(json.loads(statement.payload)["sub"], LOGIN["issuer"])
        observed(JOSERFC, "verifies entity statement and signed key set")


class Jwcrypto(unittest.TestCase):
    def setUp(self):
        self.key = crypto_jwk.JWK(**LOGIN["encryption_key"])

    def inner(self):
        token = crypto_jwe.JWE(algs=["ECDH-ES", "A256GCM"])
        token.deserialize(LOGIN["id_token"], key=self.key)
        return token.payload.decode()

    def signed_keys(self):
        entity_keys = crypto_jwk.JWKSet.from_json(json.dumps(LOGIN["entity_keys"]))
        document = crypto_jws.JWS()
        document.allowed_algs = ["ES256"]
        document.deserialize(LOGIN["signed_jwks"], key=entity_keys)
        return crypto_jwk.JWKSet.from_json(json.dumps({"keys": json.loads(document.payload)["keys"]}))

    def test_it_decrypts_and_verifies_as_it_is(self):
        token = crypto_jwt.JWT(
            jwt=self.inner(),
            key=self.signed_keys(),
            algs=["ES256"],
            check_claims={"iss": LOGIN["issuer"], "aud": LOGIN["client_id"], "nonce": LOGIN["nonce"], "exp": None},
        )
        claims = json.loads(token.claims)
        self.assertEqual(claims["acr"], "gematik-ehealth-loa-high")
        observed(JWCRYPTO, "decrypts and verifies the ID token, verifies the signed key set")

    def test_it_refuses_a_changed_token(self):
        header, _, signature = self.inner().split(".")
        forged = ".".join([header, base64.urlsafe_b64encode(b'{"sub":"somebody"}').rstrip(b"=").decode(), signature])
        with self.assertRaises(Exception):
            crypto_jwt.JWT(jwt=forged, key=self.signed_keys(), algs=["ES256"])


class Statements(unittest.TestCase):
    """A service whose statement joserfc signed, on Python's own HTTPS server."""

    def test_healthid_accepts_a_statement_that_joserfc_signed(self):
        documents = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = documents[self.path]
                self.send_response(200)
                self.send_header("Content-Type", "application/entity-statement+jwt")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(EXCHANGE / "server.pem", EXCHANGE / "server.key")
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            self.join(f"https://localhost:{server.server_address[1]}", documents)
        finally:
            server.shutdown()
            server.server_close()

    def join(self, entity_id, documents):
        sandbox = json.loads((Path(os.environ["INTEROP_SANDBOX"]) / "sandbox.json").read_text())
        entity, encryption = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
        redirect_uri = f"{entity_id}/callback"
        key = {**entity.as_dict(private=False), "kid": "entity", "use": "sig"}
        certificate = ssl.PEM_cert_to_DER_cert((EXCHANGE / "server.pem").read_text())
        client = {**key, "kid": "tls", "x5c": [base64.b64encode(certificate).decode()]}
        now = int(time.time())
        claims = {
            "iss": entity_id,
            "sub": entity_id,
            "iat": now,
            "exp": now + 3600,
            "jwks": {"keys": [key]},
            "authority_hints": [sandbox["master"]],
            "metadata": {
                "openid_relying_party": {
                    "client_name": "Dienst in Python",
                    "redirect_uris": [redirect_uri],
                    "response_types": ["code"],
                    "client_registration_types": ["automatic"],
                    "grant_types": ["authorization_code"],
                    "require_pushed_authorization_requests": True,
                    "token_endpoint_auth_method": "self_signed_tls_client_auth",
                    "id_token_signed_response_alg": "ES256",
                    "id_token_encrypted_response_alg": "ECDH-ES",
                    "id_token_encrypted_response_enc": "A256GCM",
                    "scope": "openid",
                    "jwks": {"keys": [client, {**encryption.as_dict(private=False), "kid": "enc", "use": "enc"}]},
                }
            },
        }
        header = {"alg": "ES256", "kid": "entity", "typ": "entity-statement+jwt"}
        documents["/.well-known/openid-federation"] = jwt.encode(header, claims, entity).encode()
        form = {
            "entity_id": entity_id,
            "type": "RP",
            "organization_name": "Dienst in Python",
            "keys": {"keys": [key]},
            "redirect_uris": [redirect_uri],
            "scopes": ["openid"],
        }
        request = urllib.request.Request(
            f"{sandbox['master']}/registration", json.dumps(form).encode(), {"Content-Type": "application/json"}
        )
        believed = ssl.create_default_context(cafile=EXCHANGE / "authorities.pem")
        with urllib.request.urlopen(request, context=believed) as answer:
            self.assertEqual(answer.status, 201)
            self.assertEqual(json.load(answer)["findings"], [])
        check = [os.environ["INTEROP_HEALTHID"], "federation", "check", entity_id, "--ca", EXCHANGE / "authorities.pem"]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        observed(JOSERFC, "makes an entity statement that our Federation Master and `healthid federation check` accept")


if __name__ == "__main__":
    unittest.main(verbosity=2)
