// Writes what the tests observed as the table of README.md, or compares the two: node lib/table.mjs OBSERVED README [--update]
import { readFileSync, writeFileSync } from 'node:fs';

const [observedFile, readmeFile, update] = process.argv.slice(2);
const BEGIN = '<!-- table: written by interop/run --update -->';
const END = '<!-- end of table -->';

const rows = readFileSync(observedFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
// Ports differ from run to run.
const cell = (text) => text.replaceAll(/localhost:\d+/g, 'localhost:PORT').replaceAll('|', '\\|').replaceAll('\n', ' ');
const lines = rows.map(({ library, does, refusal, wayRound }) => {
  const outcome = refusal === '' ? 'works' : refusal.startsWith('(') ? cell(refusal) : `\`${cell(refusal)}\``;
  return `| ${library} | ${cell(does)} | ${outcome} | ${cell(wayRound)} |`;
});
const sorted = [...new Set(lines)].sort();
const table = [BEGIN, '', '| library | does | outcome | way round |', '|---|---|---|---|', ...sorted, '', END].join('\n');

const readme = readFileSync(readmeFile, 'utf8');
const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (start < 0 || end < 0) throw new Error(`${readmeFile} has no place for the table`);
const wanted = readme.slice(0, start) + table + readme.slice(end + END.length);
if (wanted === readme) console.log(`the compatibility table of README.md is true (${sorted.length} rows)`);
else if (update === '--update') writeFileSync(readmeFile, wanted);
else {
  console.error(`the compatibility table of README.md is out of date; interop/run HEALTHID --update writes this one:\n${table}`);
  process.exit(1);
}
