// What npm @simplewebauthn/server says of the statements that Python wrote and our provider judged: the same.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SettingsService, verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';

const exchange = process.env.INTEROP_EXCHANGE;
const { origin, rpId, root, statements, assertions } = JSON.parse(readFileSync(`${exchange}/statements.json`, 'utf8'));
const { version } = JSON.parse(readFileSync(new URL('../node_modules/@simplewebauthn/server/package.json', import.meta.url), 'utf8'));
for (const identifier of ['tpm', 'apple', 'android-key']) SettingsService.setRootCertificates({ identifier, certificates: [Buffer.from(root, 'base64url')] });

const expected = { expectedOrigin: origin, expectedRPID: rpId, requireUserVerification: true };
const credential = (id, response) => ({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response });

async function registered({ challenge, passkey }) {
  return verifyRegistrationResponse({
    ...expected,
    expectedChallenge: challenge,
    supportedAlgorithmIDs: [-7, -257],
    response: credential(passkey.credential_id, { clientDataJSON: passkey.client_data, attestationObject: passkey.attestation_object }),
  });
}

// Where the algorithm named is of another family than the key, the library takes the key's, as long as the hash is the same (sections 8.3, 8.4: "with the
// algorithm specified in alg").
const OVERLOOKED = new Set(['tpm: alg mismatch', 'android-key: alg mismatch']);

for (const statement of statements) {
  const right = statement.ours || OVERLOOKED.has(statement.name);
  test(`${statement.name}: the provider says ${statement.ours ? 'right' : 'wrong'}, the library ${right ? 'right' : 'wrong'}`, async () => {
    const outcome = await registered(statement).catch((error) => ({ verified: false, error }));
    assert.equal(outcome.verified, right, outcome.error?.message);
  });
}

for (const { statement, challenge, passkey, ours } of assertions) {
  test(`an answer of the key of "${statements[statement].name}": both say ${ours ? 'right' : 'wrong'}`, async () => {
    const { registrationInfo } = await registered(statements[statement]);
    const verdict = verifyAuthenticationResponse({
      ...expected,
      expectedChallenge: challenge,
      credential: registrationInfo.credential,
      response: credential(passkey.credential_id, {
        clientDataJSON: passkey.client_data,
        authenticatorData: passkey.authenticator_data,
        signature: passkey.signature,
        userHandle: passkey.user_handle,
      }),
    });
    assert.equal(await verdict.then(({ verified }) => verified).catch(() => false), ours);
  });
}

test('there was something to judge', () => {
  assert.ok(statements.filter(({ ours }) => ours).length >= 6);
  assert.ok(statements.filter(({ ours }) => !ours).length >= 20);
  const row = { library: `@simplewebauthn/server ${version}`, does: 'verifies statements of the formats tpm, apple and android-key, RS256 keys too, and says what we say but for the differences its test names', refusal: '', wayRound: '' };
  appendFileSync(`${exchange}/observed.jsonl`, `${JSON.stringify(row)}\n`);
});
