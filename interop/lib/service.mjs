// A health service of ours, written with npm jose and openid-client only: entity statement, registration, mutual TLS, token keys.
import { createServer } from 'node:https';
import * as jose from 'jose';
import * as oidc from 'openid-client';
import { Agent, fetch as undiciFetch } from 'undici';
import { authority, sandbox } from './setting.mjs';
import { clientCertificate, encryptionKey, newKid, signingKey } from './keys.mjs';
import { serverIdentity } from './sandbox.mjs';
import { STATEMENT } from './federation.mjs';

export const HIGH = 'gematik-ehealth-loa-high';
export const SUBSTANTIAL = 'gematik-ehealth-loa-substantial';
export const SCOPES = ['openid', 'urn:telematik:display_name', 'urn:telematik:versicherter', 'urn:telematik:geburtsdatum'];

const now = () => Math.floor(Date.now() / 1000);

export class Service {
  /** Starts a service on a free port and registers it with the Federation Master unless told otherwise. */
  static async start({ register = true, ...options } = {}) {
    const service = new Service();
    Object.assign(service, { name: 'Interop-Dienst', scopes: SCOPES, keysBy: 'value', versions: ['1.0.0', '2.0.0'], ...options });
    service.entityKey = await signingKey();
    service.tokenKey = await encryptionKey();
    service.client = await clientCertificate('interop service', options.curve);
    service.documents = new Map();
    const { key, cert } = await serverIdentity();
    service.server = createServer({ key, cert }, (request, response) => service.answer(request, response));
    await new Promise((resolve) => service.server.listen(0, 'localhost', resolve));
    service.id = `https://localhost:${service.server.address().port}`;
    service.redirectUri = `${service.id}/callback`;
    service.agents = [];
    await service.publish();
    if (register) await service.register();
    return service;
  }

  async stop() {
    await Promise.all(this.agents.map((agent) => agent.close()));
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  answer(request, response) {
    const document = this.documents.get(request.url);
    if (!document) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': document.type }).end(document.body);
  }

  /** The keys in its metadata: the certificate of its TLS client and the key tokens are encrypted to. */
  metadataKeys() {
    return { keys: [this.client.jwk, this.tokenKey.jwk] };
  }

  claims() {
    const keys =
      this.keysBy === 'reference' ? { signed_jwks_uri: `${this.id}/jwks.jws` } : { jwks: this.metadataKeys() };
    const versions = this.versions ? { ti_features_supported: { id_token_version_supported: this.versions } } : {};
    return {
      iss: this.id,
      sub: this.id,
      iat: now(),
      exp: now() + 3600,
      jwks: { keys: [this.entityKey.jwk] },
      authority_hints: [sandbox.master],
      metadata: {
        openid_relying_party: {
          client_name: this.name,
          redirect_uris: [this.redirectUri],
          response_types: ['code'],
          client_registration_types: ['automatic'],
          grant_types: ['authorization_code'],
          require_pushed_authorization_requests: true,
          token_endpoint_auth_method: 'self_signed_tls_client_auth',
          default_acr_values: [HIGH],
          id_token_signed_response_alg: 'ES256',
          id_token_encrypted_response_alg: 'ECDH-ES',
          id_token_encrypted_response_enc: 'A256GCM',
          scope: this.scopes.join(' '),
          ...versions,
          ...keys,
        },
        federation_entity: { organization_name: this.name },
      },
    };
  }

  /** A statement signed with npm jose. */
  sign(claims, header = {}, key = this.entityKey) {
    const all = { alg: 'ES256', kid: key.kid, typ: 'entity-statement+jwt', ...header };
    return new jose.SignJWT(claims).setProtectedHeader(all).sign(key.privateKey);
  }

  /** Serves its statement, or the one given. */
  async publish(statement) {
    const body = statement ?? (await this.sign(this.claims()));
    this.documents.set('/.well-known/openid-federation', { type: STATEMENT, body });
    const set = await this.sign({ iss: this.id, iat: now(), ...this.metadataKeys() }, { typ: 'jwk-set+jwt' });
    this.documents.set('/jwks.jws', { type: 'application/jwk-set+jwt', body: set });
  }

  /** Registers with the Federation Master over HTTP; the answer's status and body. */
  async register() {
    const response = await fetch(`${sandbox.master}/registration`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        entity_id: this.id,
        type: 'RP',
        organization_name: this.name,
        keys: { keys: [this.entityKey.jwk] },
        redirect_uris: [this.redirectUri],
        scopes: this.scopes,
      }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** A fetch that shows a client certificate where it is asked for. */
  fetchWith(certificate = this.client, tls = {}) {
    const shown = certificate ? { key: certificate.key, cert: certificate.cert } : {};
    const agent = new Agent({ connect: { ca: authority, ...shown, ...tls } });
    this.agents.push(agent);
    return (url, options) => undiciFetch(url, { ...options, dispatcher: agent });
  }

  /**
   * openid-client configured from a resolved trust chain. `provider` is metadata.openid_provider, `keys` the verified content of its
   * signed key set.
   */
  configuration(provider, keys, { fetch = this.fetchWith() } = {}) {
    // openid-client knows jwks_uri only; the signed set is fetched, verified and handed to it as a plain one.
    const server = { ...provider, jwks_uri: provider.signed_jwks_uri };
    const metadata = { id_token_signed_response_alg: 'ES256' };
    const configuration = new oidc.Configuration(server, this.id, metadata, oidc.TlsClientAuth());
    configuration[oidc.customFetch] = async (url, options) =>
      String(url) === provider.signed_jwks_uri ? Response.json(await keys()) : fetch(url, options);
    oidc.enableDecryptingResponses(configuration, ['A256GCM'], {
      key: this.tokenKey.privateKey,
      kid: this.tokenKey.kid,
      alg: 'ECDH-ES',
    });
    oidc.enableNonRepudiationChecks(configuration);
    return configuration;
  }

  /** A pushed request: the address to open, and what the answer is checked against. */
  async push(configuration, parameters = {}) {
    const verifier = oidc.randomPKCECodeVerifier();
    const checks = {
      pkceCodeVerifier: verifier,
      expectedState: oidc.randomState(),
      expectedNonce: oidc.randomNonce(),
      idTokenExpected: true,
    };
    const address = await oidc.buildAuthorizationUrlWithPAR(configuration, {
      redirect_uri: this.redirectUri,
      response_type: 'code',
      scope: this.scopes.join(' '),
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      acr_values: HIGH,
      ...parameters,
    });
    return { address, checks };
  }
}

export { newKid };
