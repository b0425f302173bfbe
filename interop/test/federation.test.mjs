// npm @openid-federation/core: our statements and trust chains, statements it makes, metadata policy.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as oidc from 'openid-client';
import {
  applyMetadataPolicyToMetadata, combineMetadataPolicies, createEntityConfiguration, fetchEntityConfiguration,
  fetchEntityStatement, resolveTrustChains,
} from '@openid-federation/core';
import { resolve, STATEMENT, verifyJwtCallback, withFetch, withoutCharset } from '../lib/federation.mjs';
import { healthidExit, installed, observed, sandbox } from '../lib/setting.mjs';
import { federationCheck, insurers, pinnedKeys } from '../lib/sandbox.mjs';
import { signingKey } from '../lib/keys.mjs';
import { Service } from '../lib/service.mjs';

const library = installed('@openid-federation/core');
const fetchCallback = withoutCharset(globalThis.fetch);

describe(library, () => {
  let service;
  before(async () => {
    service = await Service.start({ name: 'Föderations-Dienst' });
  });
  after(() => service.stop());

  for (const insurer of insurers) {
    test(`resolves ${insurer.word} up to the pinned Federation Master`, async () => {
      const chain = await resolve(insurer.issuer, pinnedKeys);
      assert.equal(chain.chain.length, 2);
      assert.equal(chain.trustAnchorEntityConfiguration.sub, sandbox.master);
      const provider = chain.resolvedLeafMetadata.openid_provider;
      assert.equal(provider.issuer, insurer.issuer);
      assert.deepEqual(provider.client_registration_types_supported, ['automatic']);
      assert.deepEqual(provider.id_token_encryption_enc_values_supported, ['A256GCM']);
      for (const endpoint of ['signed_jwks_uri', 'token_endpoint', 'pushed_authorization_request_endpoint']) {
        assert.match(provider[endpoint], /^https:/, endpoint);
      }
      assert.ok(chain.resolvedLeafMetadata.federation_entity.organization_name);
    });
  }
  test('resolves a statement whose key the Federation Master does not know: that check is the caller\'s', async () => {
    const party = await Service.start({ name: 'Dienst mit neuem Schlüssel' });
    try {
      party.entityKey = await signingKey();
      await party.publish();
      const chains = await withFetch(withoutCharset(globalThis.fetch), () =>
        resolveTrustChains({ entityId: party.id, trustAnchorEntityIds: [sandbox.master], verifyJwtCallback }),
      );
      assert.equal(chains.length, 1);
      await assert.rejects(resolve(party.id, pinnedKeys), /does not vouch/);
      assert.equal((await federationCheck(party.id)).code, 1);
      observed({
        library,
        does: 'resolves the trust chain of a provider and of a service',
        refusal: '(works, but believes every anchor of the right name, and an entity key its superior does not vouch for)',
        wayRound: 'Compare the anchor\'s keys with the pinned ones, and the entity\'s with those in its superior\'s statement; see resolve in lib/federation.mjs.',
      });
    } finally {
      await party.stop();
    }
  });

  test('hands out metadata that cannot be cloned, until it is copied', async () => {
    const { resolvedLeafMetadata } = await resolve(insurers[0].issuer, pinnedKeys);
    const { openid_provider: metadata } = resolvedLeafMetadata;
    let refusal;
    try {
      new oidc.Configuration(metadata, service.id);
    } catch (error) {
      refusal = `${error.name}: ${error.message}`;
    }
    assert.equal(refusal, 'DataCloneError: #<Object> could not be cloned.');
    assert.ok(new oidc.Configuration(JSON.parse(JSON.stringify(metadata)), service.id));
    observed({
      library,
      does: 'hands resolved metadata to openid-client',
      refusal,
      wayRound: 'The metadata is a proxy: JSON.parse(JSON.stringify(metadata)).',
    });
  });

  test('resolves a service, whose redirect URIs and scopes are the Federation Master\'s', async () => {
    const chain = await resolve(service.id, pinnedKeys);
    const party = chain.resolvedLeafMetadata.openid_relying_party;
    assert.deepEqual(party.redirect_uris, [service.redirectUri]);
    assert.equal(party.scope, service.scopes.join(' '));
    assert.equal(party.client_name, 'Föderations-Dienst');
    assert.equal(party.jwks.keys[0].x5c.length, 1);
  });

  test('reads the Federation Master\'s own statement, and the one about a service', async () => {
    const master = await fetchEntityConfiguration({ entityId: sandbox.master, verifyJwtCallback, fetchCallback });
    assert.equal(master.iss, master.sub);
    assert.equal(master.authority_hints, undefined);
    const about = await fetchEntityStatement({
      iss: sandbox.master, sub: service.id, issEntityConfiguration: master, verifyJwtCallback, fetchCallback,
    });
    assert.equal(about.sub, service.id);
    assert.equal(about.jwks.keys[0].kid, service.entityKey.kid);
    assert.equal(about.exp - about.iat, 24 * 60 * 60 * 1000);
  });

  test('refuses the charset that production sends with a fetched statement, and works without it', async () => {
    const master = await fetchEntityConfiguration({ entityId: sandbox.master, verifyJwtCallback });
    const refusal = await fetchEntityStatement({
      iss: sandbox.master, sub: service.id, issEntityConfiguration: master, verifyJwtCallback,
    }).catch((error) => error.message);
    assert.equal(
      refusal,
      `received content-type '${STATEMENT};charset=UTF-8' does not equal expected content-type '${STATEMENT}'`,
    );
    observed({
      library,
      does: 'fetches a statement about a participant (content type with charset, as production sends it)',
      refusal,
      wayRound: 'Give fetchEntityStatement a fetchCallback that cuts the parameter off the header; see withoutCharset in lib/federation.mjs.',
    });
    const chains = resolveTrustChains({ entityId: service.id, trustAnchorEntityIds: [sandbox.master], verifyJwtCallback });
    await assert.rejects(chains, { message: refusal });
    observed({
      library,
      does: 'resolveTrustChains with a fetch of the caller\'s',
      refusal: '(option fetchCallback is not passed on; it always uses the global fetch)',
      wayRound: 'Replace globalThis.fetch while it runs; see withFetch in lib/federation.mjs.',
    });
  });

  test('finds no chain for a service nobody registered', async () => {
    const stranger = await Service.start({ register: false });
    try {
      await assert.rejects(resolve(stranger.id, pinnedKeys));
    } finally {
      await stranger.stop();
    }
  });

  test('makes a statement that the Federation Master and healthid accept', async () => {
    const made = await Service.start({ name: 'Von fremder Hand', register: false });
    try {
      const statement = await createEntityConfiguration({
        header: { typ: 'entity-statement+jwt', alg: 'ES256', kid: made.entityKey.kid },
        claims: made.claims(),
        signJwtCallback: async ({ toBeSigned }) =>
          new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, made.entityKey.privateKey, toBeSigned)),
      });
      await made.publish(statement);
      const { status, body } = await made.register();
      assert.equal(status, 201, JSON.stringify(body));
      assert.deepEqual(body.findings, []);
      const { code, stdout, stderr } = await federationCheck(made.id);
      assert.equal(code, 0, stdout + stderr);
      observed({ library, does: 'makes an entity statement that the Federation Master, the provider and `healthid federation check` accept' });
    } finally {
      await made.stop();
    }
  });
});

// What both say to one policy; `null` where the library is right. Every difference is the library's, by the section named.
const policies = [
  { policies: [{ scopes: { value: ['a'] } }], metadata: { scopes: ['b'] } },
  { policies: [{ scopes: { value: null } }], metadata: { scopes: ['b'], name: 'x' } },
  { policies: [{ scopes: { add: ['a'] } }, { scopes: { add: ['c'] } }], metadata: { scopes: ['b'] } },
  { policies: [{ name: { default: 'x' } }], metadata: {} },
  { policies: [{ name: { default: 'x' } }], metadata: { name: 'y' } },
  { policies: [{ name: { default: 'x' } }, { name: { default: 'y' } }], metadata: {} },
  { policies: [{ name: { one_of: ['x', 'y'] } }, { name: { one_of: ['y', 'z'] } }], metadata: { name: 'y' } },
  { policies: [{ name: { one_of: ['x', 'y'] } }], metadata: { name: 'z' } },
  { policies: [{ name: { one_of: ['x'] } }, { name: { one_of: ['z'] } }], metadata: { name: 'x' } },
  { policies: [{ scopes: { subset_of: ['a', 'b'] } }, { scopes: { subset_of: ['b', 'c'] } }], metadata: { scopes: ['a', 'b', 'c'] } },
  { policies: [{ scopes: { superset_of: ['a', 'b'] } }], metadata: { scopes: ['a', 'b'] } },
  { policies: [{ name: { essential: true } }], metadata: {} },
  { policies: [{ name: { essential: false } }, { name: { essential: true } }], metadata: {} },
  { policies: [{ name: { value: 'x' } }, { name: { value: 'y' } }], metadata: {} },
  { policies: [{ name: { value: 'x', essential: true } }], metadata: {} },
  { policies: [{ scopes: { default: ['a'], subset_of: ['a', 'b'], essential: true } }], metadata: {} },
  {
    section: '6.1.3.1.6', about: 'superset_of reads the other way round: it wants no more than the policy names',
    policies: [{ scopes: { superset_of: ['a'] } }], metadata: { scopes: ['a', 'b'] },
    differs: 'The target does not contain all the values from the policy superset',
  },
  {
    section: '6.1.3.1.5', about: 'subset_of and superset_of refuse a parameter that is absent',
    policies: [{ scopes: { subset_of: ['a'] } }], metadata: {},
    differs: 'Cannot apply subset_of policy because the target is not an array',
  },
  {
    section: '6.1.3.1.5', about: 'subset_of removes a parameter where nothing is left; the specification leaves an empty array',
    policies: [{ scopes: { subset_of: ['a'] } }], metadata: { scopes: ['b'] }, differs: '(no error)',
  },
  {
    section: '6.1.3.1.5', about: 'two subset_of without a common value cannot be merged; the specification leaves an empty array',
    policies: [{ scopes: { subset_of: ['a'] } }, { scopes: { subset_of: ['b'] } }], metadata: { scopes: ['a'] },
    differs: 'Intersection is empty',
  },
  {
    section: '6.1.3.1', about: 'scope, a string of values separated by spaces, is not treated as a list',
    policies: [{ scope: { subset_of: ['openid', 'a'] } }], metadata: { scope: 'openid a b' },
    differs: 'Cannot apply subset_of policy because the target is not an array',
  },
  {
    section: '6.1.3.1.1', about: 'two equal objects are not equal in value',
    policies: [{ keys: { value: { a: 1 } } }, { keys: { value: { a: 1 } } }], metadata: {},
    differs: 'Policy rule values are not equal',
  },
];

function theirs({ policies: all, metadata }) {
  // Trust anchor last, as in a chain.
  const statements = all.map((policy) => ({ metadata_policy: { openid_relying_party: policy } })).reverse();
  let policyMetadata;
  try {
    policyMetadata = combineMetadataPolicies({ statements }).mergedPolicy;
  } catch (error) {
    return { error: 'invalid_policy', message: error.message };
  }
  try {
    const { resolvedLeafMetadata } = applyMetadataPolicyToMetadata({
      leafMetadata: { openid_relying_party: metadata }, policyMetadata,
    });
    return { resolved: resolvedLeafMetadata.openid_relying_party ?? {}, message: '(no error)' };
  } catch (error) {
    return { error: 'invalid_metadata', message: error.message };
  }
}

describe('metadata policy: healthid and @openid-federation/core', () => {
  let ours;
  before(async () => {
    const lines = policies.map(({ policies: all, metadata }) => JSON.stringify({ policies: all, metadata }));
    const { code, stdout } = await healthidExit(['federation', 'policy'], `${lines.join('\n')}\n`);
    assert.equal(code, 0);
    ours = stdout.trim().split('\n').map((line) => JSON.parse(line));
  });

  policies.forEach((policy, index) => {
    const question = JSON.stringify(policy.policies);
    const outcome = ({ error, resolved }) => (error ? { error } : { resolved });
    if (!policy.differs) {
      test(`say the same to ${question}`, () => assert.deepEqual(outcome(theirs(policy)), outcome(ours[index])));
      return;
    }
    test(`differ on ${question}: ${policy.about}`, () => {
      const answer = theirs(policy);
      assert.equal(answer.message, policy.differs);
      assert.notDeepEqual(outcome(answer), outcome(ours[index]));
      observed({
        library,
        does: `metadata policy, OpenID Federation 1.0 §${policy.section}: ${policy.about}`,
        refusal: policy.differs,
        wayRound: 'None needed here: the Federation Master of the TI sends no metadata_policy. Elsewhere ask `healthid federation policy`.',
      });
    });
  });
});
