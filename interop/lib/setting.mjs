// What interop/run prepared: the binary, a running sandbox, a directory to exchange files in.
import { execFile } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the tests with interop/run`);
  return value;
};

export const exchange = required('INTEROP_EXCHANGE');
export const healthidBinary = required('INTEROP_HEALTHID');
export const dataDirectory = required('INTEROP_SANDBOX');

/** The sandbox, as it describes itself. */
export const sandbox = JSON.parse(readFileSync(join(dataDirectory, 'sandbox.json'), 'utf8'));

/** The TLS authority of the sandbox, PEM. */
export const authority = readFileSync(join(dataDirectory, 'ca.pem'), 'utf8');

const run = promisify(execFile);

/** Runs healthid; its output, or an error that shows what it said. */
export async function healthid(...parameters) {
  const { stdout } = await run(healthidBinary, parameters, { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

/** Runs healthid where a refusal is expected: exit code and everything it said. */
export async function healthidExit(parameters, input) {
  const started = run(healthidBinary, parameters, { maxBuffer: 16 * 1024 * 1024 });
  started.child.stdin.end(input ?? '');
  return started.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

/**
 * A row of the compatibility table. `refusal` is the library's exact words against something the profile demands, `wayRound` what a
 * relying party does about it; both are left out where everything works as it is.
 */
export function observed({ library, does, refusal = '', wayRound = '' }) {
  appendFileSync(join(exchange, 'observed.jsonl'), `${JSON.stringify({ library, does, refusal, wayRound })}\n`);
}

/** A library with the version that is installed. */
export function installed(name) {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
}
