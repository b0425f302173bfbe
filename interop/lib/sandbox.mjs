// The running sandbox: its insurers, the keys of its Federation Master, its people with their cards.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as jose from 'jose';
import * as oidc from 'openid-client';
import { resolve } from './federation.mjs';
import { dataDirectory, exchange, healthid, healthidExit, sandbox } from './setting.mjs';

/** TLS identity of a test service on localhost, by an authority the sandbox was told to trust (--trust-ca). */
export const serverIdentity = () => ({
  key: readFileSync(join(exchange, 'server.key'), 'utf8'),
  cert: readFileSync(join(exchange, 'server.pem'), 'utf8'),
});

/** The authorities of sandbox and test services, one PEM file. */
const authorities = join(exchange, 'authorities.pem');

/** The Federation Master's keys, as handed over out of band (A_23046). */
export const pinnedKeys = sandbox.master_keys;

/** The insurers: `word`, `ik`, `issuer`. */
export const insurers = sandbox.insurers;

/** `healthid federation check` of an entity: exit code and what it said. */
export function federationCheck(entityId) {
  const anchor = join(exchange, `anchor-${process.pid}.json`);
  writeFileSync(anchor, JSON.stringify(pinnedKeys));
  return healthidExit(['federation', 'check', entityId, '--ca', authorities, '--anchor-keys', anchor]);
}

/**
 * A provider as a relying party learns it: metadata from the resolved chain, and its signed key set, verified with the keys the Federation
 * Master vouches for.
 */
export async function provider(issuer) {
  const chain = await resolve(issuer, pinnedKeys);
  // The library hands out a proxy, which openid-client cannot clone.
  const metadata = JSON.parse(JSON.stringify(chain.resolvedLeafMetadata.openid_provider));
  const vouchedKeys = chain.chain[0].jwks;
  const signedKeys = await (await fetch(metadata.signed_jwks_uri)).text();
  const keys = async () => {
    const { payload } = await jose.jwtVerify(signedKeys, jose.createLocalJWKSet(vouchedKeys), { algorithms: ['ES256'], issuer });
    return { keys: payload.keys };
  };
  return { metadata, keys, vouchedKeys, signedKeys };
}

/**
 * A person logs in and releases what is asked for, except what she refuses; the address that leads back to the service. She is the one
 * named, with her health card, or the one a phone is bound to (`device`, its file).
 */
export function approve(address, { person = 'lena', device, refuse = [] } = {}) {
  const holder = device ? ['--device', device] : ['--person', person];
  return phone(address, ...holder, ...refuse.flatMap((claim) => ['--refuse', claim]));
}

/** She declines. */
export const decline = (address) => phone(address, '--decline');

/** The headless phone. */
async function phone(address, ...options) {
  return new URL((await healthid('phone', 'open', String(address), '--at', dataDirectory, ...options)).trim());
}

/** A login whose token response is kept as it came: tokens and nonce. */
export async function rawLogin(service, { metadata, keys }, person) {
  const post = service.fetchWith();
  let tokens;
  const fetch = async (url, options) => {
    const response = await post(url, options);
    if (String(url) !== metadata.token_endpoint) return response;
    tokens = await response.clone().json();
    return response;
  };
  const configuration = service.configuration(metadata, keys, { fetch });
  const { address, checks } = await service.push(configuration);
  await oidc.authorizationCodeGrant(configuration, await approve(address, { person }), checks);
  return { tokens, nonce: checks.expectedNonce };
}
