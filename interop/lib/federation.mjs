// @openid-federation/core with what it leaves to its caller: signatures, the pinned trust anchor, and the media type of fetched statements.
import * as jose from 'jose';
import { resolveTrustChains, fetchEntityConfiguration, fetchEntityStatement } from '@openid-federation/core';
import { sandbox } from './setting.mjs';

export const STATEMENT = 'application/entity-statement+jwt';

/** Verifies a JWS with the key the library picked. */
export const verifyJwtCallback = async ({ jwt, jwk }) => {
  try {
    await jose.compactVerify(jwt, await jose.importJWK(jwk, 'ES256'), { algorithms: ['ES256'] });
    return true;
  } catch {
    return false;
  }
};

/**
 * A fetch that drops the charset the Federation Master's production sends with a statement
 * (`application/entity-statement+jwt;charset=UTF-8`); the library compares the whole header.
 */
export const withoutCharset = (fetch) => async (url, options) => {
  const response = await fetch(url, options);
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith(`${STATEMENT};`)) return response;
  return new Response(await response.text(), { status: response.status, headers: { 'content-type': STATEMENT } });
};

/** Runs work with the library's global fetch replaced: resolveTrustChains takes no fetch of its caller's. */
export async function withFetch(replacement, work) {
  const before = globalThis.fetch;
  globalThis.fetch = replacement;
  try {
    return await work();
  } finally {
    globalThis.fetch = before;
  }
}

/**
 * The one trust chain from an entity to the sandbox's Federation Master, with the two checks the library leaves out: the anchor's key is
 * the pinned one, and the entity signs with a key the Federation Master vouches for.
 */
export async function resolve(entityId, pinned) {
  const chains = await withFetch(withoutCharset(globalThis.fetch), () =>
    resolveTrustChains({ entityId, trustAnchorEntityIds: [sandbox.master], verifyJwtCallback }),
  );
  if (chains.length !== 1) throw new Error(`${chains.length} trust chains from ${entityId}`);
  const [chain] = chains;
  const keyId = (jwk) => jose.calculateJwkThumbprint(jwk);
  const keyIds = (set) => Promise.all(set.keys.map(keyId));
  const [anchorKeys, pinnedKeys] = await Promise.all([keyIds(chain.trustAnchorEntityConfiguration.jwks), keyIds(pinned)]);
  if (!anchorKeys.every((key) => pinnedKeys.includes(key))) throw new Error('the anchor has keys that are not pinned');
  const vouched = await keyIds(chain.chain[0].jwks);
  const own = await keyIds(chain.rawLeafEntityConfiguration.jwks);
  if (!own.some((key) => vouched.includes(key))) throw new Error('the Federation Master does not vouch for the entity key');
  return chain;
}

export { fetchEntityConfiguration, fetchEntityStatement };
