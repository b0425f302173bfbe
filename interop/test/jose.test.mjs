// npm jose: everything we sign and encrypt, taken apart; and what it signs, accepted or refused by us.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';
import { exchange, installed, observed, sandbox } from '../lib/setting.mjs';
import { federationCheck, insurers, pinnedKeys, provider, rawLogin } from '../lib/sandbox.mjs';
import { signingKey } from '../lib/keys.mjs';
import { Service } from '../lib/service.mjs';

const library = installed('jose');
const [insurer] = insurers;
const DECRYPT = { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] };

describe(library, () => {
  let service;
  let entity;
  let login;
  before(async () => {
    service = await Service.start({ name: 'Dienst mit jose' });
    entity = await provider(insurer.issuer);
    login = await rawLogin(service, entity);
    // The same token for the Python libraries.
    const exported = {
      id_token: login.tokens.id_token,
      encryption_key: { ...(await jose.exportJWK(service.tokenKey.privateKey)), kid: service.tokenKey.kid, use: 'enc' },
      issuer: insurer.issuer,
      client_id: service.id,
      nonce: login.nonce,
      signed_jwks: entity.signedKeys,
      entity_keys: entity.vouchedKeys,
      statement: await (await fetch(`${insurer.issuer}/.well-known/openid-federation`)).text(),
    };
    writeFileSync(join(exchange, 'login.json'), JSON.stringify(exported), { mode: 0o600 });
  });
  after(() => service.stop());

  const decrypt = (token) => jose.compactDecrypt(token, service.tokenKey.privateKey, DECRYPT);
  const inner = async () => new TextDecoder().decode((await decrypt(login.tokens.id_token)).plaintext);

  test('decrypts the ID token; the outer header has exactly the members of the profile', async () => {
    const { protectedHeader } = await decrypt(login.tokens.id_token);
    assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'cty', 'enc', 'epk', 'kid', 'version']);
    assert.equal(protectedHeader.alg, 'ECDH-ES');
    assert.equal(protectedHeader.enc, 'A256GCM');
    assert.equal(protectedHeader.cty, 'JWT');
    assert.equal(protectedHeader.kid, service.tokenKey.kid);
    assert.equal(protectedHeader.version, '2.0.0');
    assert.deepEqual(Object.keys(protectedHeader.epk).sort(), ['crv', 'kty', 'x', 'y']);
    observed({ library, does: 'decrypts the ID token (ignores the header member version)' });
  });

  test('verifies the inner signature with the signed key set, and every claim', async () => {
    const set = jose.createLocalJWKSet(await entity.keys());
    const { payload, protectedHeader } = await jose.jwtVerify(await inner(), set, {
      algorithms: ['ES256'], issuer: insurer.issuer, audience: service.id, maxTokenAge: 300,
      requiredClaims: ['sub', 'nonce', 'acr', 'amr', 'auth_time', 'exp'],
    });
    assert.equal(payload.nonce, login.nonce);
    assert.ok(Array.isArray(payload.amr));
    assert.deepEqual(Object.keys(protectedHeader).sort().filter((name) => name !== 'typ'), ['alg', 'kid', 'x5c']);
    assert.equal(payload.exp - payload.iat, 300);
    assert.match(payload.birthdate, /^\d{4}(-\d{2}-\d{2})?$/);
    observed({ library, does: 'verifies ID token, entity statements, signed key set and IDP list' });
  });

  test('the certificate in x5c holds the key of the signed key set', async () => {
    const { x5c, kid } = jose.decodeProtectedHeader(await inner());
    assert.equal(x5c.length, 1);
    const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
    const published = (await entity.keys()).keys.find((key) => key.kid === kid);
    const fromCertificate = certificate.publicKey.export({ format: 'jwk' });
    assert.equal(await jose.calculateJwkThumbprint(fromCertificate), await jose.calculateJwkThumbprint(published));
    assert.deepEqual(published.x5c, x5c);
    assert.match(certificate.issuer, /CN=GEM\.KOMP-CA/);
    const key = await jose.importX509(certificate.toString(), 'ES256');
    await jose.jwtVerify(await inner(), key);
  });

  test('names arrive as they are written', async () => {
    const { tokens } = await rawLogin(service, entity, 'ada');
    const { payload } = await jose.jwtVerify(
      new TextDecoder().decode((await decrypt(tokens.id_token)).plaintext),
      jose.createLocalJWKSet(await entity.keys()),
    );
    assert.equal(payload['urn:telematik:claims:display_name'], 'Dr. Ada-Liv Musterfrau-Öztürk');
    assert.equal(payload.birthdate, '1984-02-29');
  });

  test('a service that understands version 1.0.0 only gets such a token', async () => {
    const old = await Service.start({ name: 'Alter Dienst', versions: null });
    try {
      const { tokens } = await rawLogin(old, entity);
      const { protectedHeader } = await jose.compactDecrypt(tokens.id_token, old.tokenKey.privateKey, DECRYPT);
      assert.ok([undefined, '1.0.0'].includes(protectedHeader.version), protectedHeader.version);
    } finally {
      await old.stop();
    }
  });

  test('refuses our token once a byte is changed, in the ciphertext or inside', async () => {
    const parts = login.tokens.id_token.split('.');
    const bytes = jose.base64url.decode(parts[3]);
    bytes[0] ^= 1;
    parts[3] = jose.base64url.encode(bytes);
    await assert.rejects(decrypt(parts.join('.')), { code: 'ERR_JWE_DECRYPTION_FAILED' });
    const [header, , signature] = (await inner()).split('.');
    const forged = [header, jose.base64url.encode(JSON.stringify({ sub: 'somebody' })), signature].join('.');
    const set = jose.createLocalJWKSet(await entity.keys());
    await assert.rejects(jose.jwtVerify(forged, set), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
  });

  test('verifies the provider\'s statement with the key the Federation Master vouches for', async () => {
    const statement = await (await fetch(`${insurer.issuer}/.well-known/openid-federation`)).text();
    const { payload, protectedHeader } = await jose.jwtVerify(statement, jose.createLocalJWKSet(entity.vouchedKeys), {
      typ: 'entity-statement+jwt', algorithms: ['ES256'], issuer: insurer.issuer, subject: insurer.issuer,
    });
    assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ']);
    assert.ok(payload.exp - payload.iat <= 86400);
    for (const key of payload.jwks.keys) {
      assert.deepEqual(Object.keys(key).sort(), ['crv', 'kid', 'kty', 'use', 'x', 'y']);
      for (const coordinate of [key.x, key.y]) assert.equal(jose.base64url.decode(coordinate).length, 32);
    }
  });

  test('verifies the Federation Master\'s list of identity providers with the pinned key', async () => {
    const own = jose.decodeJwt(await (await fetch(`${sandbox.master}/.well-known/openid-federation`)).text());
    const response = await fetch(own.metadata.federation_entity.idp_list_endpoint);
    assert.match(response.headers.get('content-type'), /^application\/jwt/);
    const { payload } = await jose.jwtVerify(await response.text(), jose.createLocalJWKSet(pinnedKeys), {
      typ: 'idp-list+jwt', algorithms: ['ES256'], issuer: sandbox.master,
    });
    assert.deepEqual(payload.idp_entity.map(({ iss }) => iss).sort(), insurers.map(({ issuer }) => issuer).sort());
  });

  test('the signed key set comes as either media type', async () => {
    for (const [accept, type] of [
      ['*/*', 'application/jwk-set+json'],
      ['application/jwk-set+jwt', 'application/jwk-set+jwt'],
      ['application/jwk-set+json', 'application/jwk-set+json'],
    ]) {
      const response = await fetch(entity.metadata.signed_jwks_uri, { headers: { accept } });
      assert.equal(response.headers.get('content-type').split(';')[0], type, accept);
    }
  });

  test('healthid accepts a statement that npm jose signed', async () => {
    const { code, stdout, stderr } = await federationCheck(service.id);
    assert.equal(code, 0, stdout + stderr);
    observed({ library, does: 'makes entity statements and signed key sets that our Federation Master, provider and `healthid federation check` accept' });
  });

  // What npm jose can be made to sign and nobody must accept; and by which word the refusal is recognised.
  const day = 24 * 60 * 60;
  const cases = [
    ['with typ JWT', /typ/, (party) => party.sign(party.claims(), { typ: 'JWT' })],
    ['without typ', /typ/, (party) => party.sign(party.claims(), { typ: undefined })],
    ['with an embedded key', /jwk/, (party) => party.sign(party.claims(), { jwk: party.entityKey.jwk })],
    ['with jku', /jku/, (party) => party.sign(party.claims(), { jku: `${party.id}/keys` })],
    ['with an unknown key', /kid|key/, async (party) => party.sign(party.claims(), {}, await signingKey())],
    ['that is unsigned', /alg|none|signature|JWS/i, async (party) => new jose.UnsecuredJWT(party.claims()).encode()],
    ['signed with HS256 under the public key', /alg|HS256/, async (party) => {
      const secret = createHash('sha256').update(JSON.stringify(party.entityKey.jwk)).digest();
      return new jose.SignJWT(party.claims())
        .setProtectedHeader({ alg: 'HS256', kid: party.entityKey.kid, typ: 'entity-statement+jwt' }).sign(secret);
    }],
    ['signed with RS256', /alg|RS256/, async (party) => {
      const { privateKey } = await jose.generateKeyPair('RS256');
      return new jose.SignJWT(party.claims())
        .setProtectedHeader({ alg: 'RS256', kid: party.entityKey.kid, typ: 'entity-statement+jwt' }).sign(privateKey);
    }],
    ['that lives longer than a day', /24|exp|86400|lifetime|hours/, (party) => {
      const claims = party.claims();
      return party.sign({ ...claims, exp: claims.iat + day + 120 });
    }],
    ['that has expired', /exp/, (party) => {
      const claims = party.claims();
      return party.sign({ ...claims, iat: claims.iat - 7200, exp: claims.iat - 3600 });
    }],
    ['from the future', /iat|future/, (party) => {
      const claims = party.claims();
      return party.sign({ ...claims, iat: claims.iat + 1800, exp: claims.iat + 3600 });
    }],
    ['of somebody else', /iss|sub/, (party) => party.sign({ ...party.claims(), sub: 'https://localhost:1' })],
    ['with an unknown critical claim', /crit/, (party) => party.sign({ ...party.claims(), crit: ['novelty'], novelty: 1 })],
    ['that names another superior', /authority_hints|superior|status|connect/i, (party) =>
      party.sign({ ...party.claims(), authority_hints: ['https://localhost:1'] })],
    ['with a private key in its metadata', /private|member d/, async (party) => {
      const claims = party.claims();
      const key = await jose.exportJWK(party.tokenKey.privateKey);
      claims.metadata.openid_relying_party.jwks.keys.push({ ...key, kid: 'open', use: 'enc' });
      return party.sign(claims);
    }],
  ];
  for (const [about, reason, make] of cases) {
    test(`healthid refuses a statement ${about}, and says why`, async () => {
      const party = await Service.start({ name: 'Fehlerhafter Dienst' });
      try {
        await party.publish(await make(party));
        const { code, stdout, stderr } = await federationCheck(party.id);
        assert.equal(code, 1, stdout + stderr);
        const defects = stdout.split('\n').filter((line) => line.startsWith('DEFECT'));
        assert.ok(defects.some((line) => reason.test(line)), stdout + stderr);
        // The provider must not give it a request either.
        const error = await party.push(party.configuration(entity.metadata, entity.keys)).catch((refusal) => refusal);
        assert.ok(error instanceof Error, 'the provider accepted it');
        assert.ok([400, 401].includes(error.status), String(error));
        assert.match(error.error, /^(invalid_request|invalid_client|missing_trust_anchor)$/);
      } finally {
        await party.stop();
      }
    });
  }
});
