/** `config.json`, read. */

import { members, parse, text, texts, whole } from '../core/shape.ts';
import type { Config, DeviceClass, Language, Support } from './model.ts';

const LANGUAGES: readonly Language[] = ['de', 'de-simple', 'en'];

export function readConfig(body: string): Config | undefined {
  const said = members(parse(body));
  const [issuer, insurer, logo] = [text(said?.['issuer']), text(said?.['insurer']), text(said?.['logo'])];
  const classes = said?.['device_classes'];
  if (!said || !issuer || insurer === undefined || logo === undefined || !Array.isArray(classes)) return undefined;
  const spoken = texts(said['languages']) ?? [];
  const languages = LANGUAGES.filter((language) => spoken.includes(language));
  return {
    issuer: issuer.replace(/\/+$/, ''),
    insurer,
    logo,
    invented: said['invented'] === true,
    card_terminal: text(said['card_terminal']) ?? null,
    device_classes: classes.flatMap(deviceClass),
    support: support(said['support']),
    moves: said['moves'] === true,
    push_key: text(said['push_key']) ?? null,
    languages: languages.length > 0 ? languages : ['de'],
  };
}

function deviceClass(value: unknown): DeviceClass[] {
  const found = members(value);
  const [name, level, evidence] = [text(found?.['name']), text(found?.['level']), text(found?.['evidence'])];
  const reconfirm_after_seconds = whole(found?.['reconfirm_after_seconds']);
  if (name === undefined || level === undefined || evidence === undefined || reconfirm_after_seconds === undefined) return [];
  return [{ name, level, reconfirm_after_seconds, evidence }];
}

function support(value: unknown): Support | null {
  const found = members(value);
  if (!found) return null;
  return { phone: text(found['phone']) ?? null, mail: text(found['mail']) ?? null, url: text(found['url']) ?? null };
}

/** The language of a first visit. */
export function preferred(wanted: readonly string[], offered: Language[]): Language {
  for (const tag of wanted) {
    const found = offered.find((language) => language === tag.toLowerCase().slice(0, 2));
    if (found) return found;
  }
  return offered[0] ?? 'de';
}
