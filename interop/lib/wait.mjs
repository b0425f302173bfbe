// Waits until the sandbox describes itself and its Federation Master answers: node lib/wait.mjs PROCESS
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const DEADLINE_MS = 30_000;
const sandbox = Number(process.argv[2]);
const description = join(process.env.INTEROP_SANDBOX, 'sandbox.json');

const answers = (url) =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

for (const started = Date.now(); Date.now() - started < DEADLINE_MS; ) {
  try {
    process.kill(sandbox, 0);
  } catch {
    console.error('the sandbox ended');
    process.exit(1);
  }
  if (existsSync(description)) {
    const { master, portal } = JSON.parse(readFileSync(description, 'utf8'));
    if ((await answers(master)) && (await answers(portal))) process.exit(0);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.error(`the sandbox was not ready within ${DEADLINE_MS / 1000} s`);
process.exit(1);
