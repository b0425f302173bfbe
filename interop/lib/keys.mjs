// Keys and certificates of a test service. Everything is made when the tests start and gone when they end.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { X509Certificate } from 'node:crypto';
import * as jose from 'jose';
import { exchange } from './setting.mjs';

const openssl = promisify(execFile).bind(null, 'openssl');

/** A UUID of version 7, as A_28208 wants key identifiers. */
export function newKid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let at = 0; at < 6; at += 1) bytes[at] = Math.floor(now / 2 ** (8 * (5 - at))) & 0xff;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A P-256 key for ES256: `privateKey`, `kid`, and `jwk`, the public one as published. */
export async function signingKey(kid = newKid()) {
  const { privateKey, publicKey } = await jose.generateKeyPair('ES256', { extractable: true });
  return { kid, privateKey, jwk: { use: 'sig', kid, ...(await jose.exportJWK(publicKey)) } };
}

/** A P-256 key ID tokens are encrypted to. */
export async function encryptionKey(kid = newKid()) {
  const { privateKey, publicKey } = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  return { kid, privateKey, jwk: { use: 'enc', kid, ...(await jose.exportJWK(publicKey)) } };
}

/** A TLS client key with a self-signed certificate (RFC 8705 §2.2), as a service operator makes it: with openssl. */
export async function clientCertificate(commonName, curve = 'P-256') {
  const directory = await mkdtemp(join(exchange, 'client-'));
  const [keyFile, certificateFile] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  await openssl([
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-sha256', '-nodes', '-days', '90',
    '-subj', `/CN=${commonName}`, '-addext', 'basicConstraints=critical,CA:FALSE', '-keyout', keyFile, '-out', certificateFile,
  ]);
  const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certificateFile, 'utf8')]);
  const certificate = new X509Certificate(cert);
  const jwk = certificate.publicKey.export({ format: 'jwk' });
  return { key, cert, jwk: { use: 'sig', kid: newKid(), ...jwk, x5c: [certificate.raw.toString('base64')] } };
}
